#!/usr/bin/perl
# A server that says who it is and who asks: "NAME CLIENT-ADDRESS". `responder tcp:80 udp:53 sctp:80 …` listens
# on these ports.
#   GET /health          200 once WARM seconds (0) have passed, before that 503
#   GET anything else    one line, then the connection is closed
#   any other line, and any datagram: "NAME CLIENT-ADDRESS LINE", and the connection stays open
# NAME is that variable's value, else the host name. When it is told to end it does so at once, as the worst of
# programs do; with ON_TERM=tell it goes on, and whoever comes from then on reads "late" before the name. Who comes
# before it is warm reads "early".
use strict;
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY inet_ntoa);

my $name = $ENV{NAME} // do { open my $file, '<', '/proc/sys/kernel/hostname'; my $line = <$file>; chomp $line; $line };
my $tell = ($ENV{ON_TERM} // '') eq 'tell';
my $ready = time + ($ENV{WARM} // 0);
my $late = 0;
$SIG{PIPE} = 'IGNORE';
$SIG{INT} = $SIG{TERM} = sub { exit 0 unless $tell; $late = 1 };

my (%listening, %datagrams, %open);
for my $port (@ARGV ? @ARGV : 'tcp:80') {
  my ($protocol, $number) = split /:/, $port;
  my $stream = $protocol ne 'udp';
  socket my $socket, PF_INET, $stream ? SOCK_STREAM : SOCK_DGRAM, $protocol eq 'sctp' ? 132 : 0 or die "socket: $!";
  setsockopt $socket, SOL_SOCKET, SO_REUSEADDR, 1;
  bind $socket, sockaddr_in($number, INADDR_ANY) or die "bind $port: $!";
  listen $socket, 1024 or die "listen $port: $!" if $stream;
  ($stream ? \%listening : \%datagrams)->{ fileno $socket } = $socket;
}
$| = 1;
print "$name listens\n";

while (1) {
  my $bits = '';
  vec($bits, $_, 1) = 1 for keys %listening, keys %datagrams, keys %open;
  next if select($bits, undef, undef, undef) <= 0;
  for my $number (keys %listening) { greet($listening{$number}) if vec $bits, $number, 1 }
  for my $number (keys %datagrams) { repeat($datagrams{$number}) if vec $bits, $number, 1 }
  for my $number (keys %open) { hear($number) if vec $bits, $number, 1 }
}

sub name_now { return $late ? "late $name" : time < $ready ? "early $name" : $name }
sub client { my (undef, $address) = sockaddr_in(shift); return inet_ntoa($address) }

sub greet {
  my $peer = accept my $socket, shift or return;
  setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
  $open{ fileno $socket } = { socket => $socket, client => client($peer), heard => '', who => name_now() };
}

sub repeat {
  my $socket = shift;
  my $peer = recv $socket, my $data, 65536, 0 or return;
  chomp $data;
  send $socket, name_now() . ' ' . client($peer) . " $data\n", 0, $peer;
}

sub hear {
  my $number = shift;
  my $one = $open{$number};
  my $count = sysread $one->{socket}, $one->{heard}, 65536, length $one->{heard};
  return delete $open{$number} unless $count;
  if (my ($path) = $one->{heard} =~ /^GET (\S+)/) {
    return if $one->{heard} !~ /\r?\n\r?\n/;
    my $ill = $path eq '/health' && time < $ready;
    my $body = "$one->{who} $one->{client}\n";
    my $status = $ill ? '503 Service Unavailable' : '200 OK';
    syswrite $one->{socket}, "HTTP/1.0 $status\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    return delete $open{$number};
  }
  while ($one->{heard} =~ s/^([^\n]*)\n//) { syswrite $one->{socket}, "$one->{who} $one->{client} $1\n" }
}
