#!/usr/bin/perl
# Traffic for the measurements of networks, by processes that block, which cost next to nothing beside the kernel's work.
#   traffic.pl serve PORT WORKERS                     answers until it is killed
#   traffic.pl streams ADDRESS PORT COUNT SECONDS     sends through so many connections: "BYTES SECONDS"
#   traffic.pl connects ADDRESS PORT COUNT SECONDS    connects again and again in so many processes: "CONNECTIONS SECONDS"
# A connection that begins with "s" is read to its end and answered with the number of bytes; one that begins with "p"
# is answered at once, by one line.
use strict;
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

my $BLOCK = 128 * 1024;
my $LATE_S = 30;

my ($what, @args) = @ARGV;
$| = 1;
if    ($what eq 'serve')    { serve(@args) }
elsif ($what eq 'streams')  { side_by_side(\&stream, @args) }
elsif ($what eq 'connects') { side_by_side(\&connect_often, @args) }
else                        { die "traffic.pl serve|streams|connects …\n" }

sub serve {
  my ($port, $workers) = @_;
  socket my $listening, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
  setsockopt $listening, SOL_SOCKET, SO_REUSEADDR, 1;
  bind $listening, sockaddr_in($port, INADDR_ANY) or die "bind: $!";
  listen $listening, 1024 or die "listen: $!";
  for (1 .. $workers) { answer($listening) unless fork // die "fork: $!" }
  print "listening\n";
  wait;
}

sub answer {
  my $listening = shift;
  $SIG{PIPE} = 'IGNORE';
  while (1) {
    accept my $socket, $listening or next;
    my $total = sysread($socket, my $data, $BLOCK) || 0;
    my $sum = $data =~ /^s/;
    syswrite $socket, "ok\n" if $data =~ /^p/;
    while (my $count = sysread $socket, $data, $BLOCK) { $total += $count }
    syswrite $socket, "$total\n" if $sum;
  }
}

# Runs it in COUNT processes from one moment on, each of which prints "AMOUNT SECONDS", and prints the sum and the longest.
sub side_by_side {
  my ($run, $address, $port, $count, $seconds) = @_;
  my $to = sockaddr_in($port, inet_aton($address));
  my @results;
  for (1 .. $count) {
    my $pid = open(my $result, '-|') // die "fork: $!";
    unless ($pid) { alarm $seconds + $LATE_S; $run->($to, $seconds); exit }
    push @results, $result;
  }
  my ($amount, $longest) = (0, 0);
  for my $result (@results) {
    my ($part, $took) = (readline($result) // '') =~ /^(\S+) (\S+)$/ or die "a connection failed\n";
    $amount += $part;
    $longest = $took if $took > $longest;
  }
  print "$amount $longest\n";
}

sub opened {
  my $to = shift;
  socket my $socket, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
  connect $socket, $to or die "connect: $!";
  setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
  return $socket;
}

sub stream {
  my ($to, $seconds) = @_;
  my $socket = opened($to);
  my $from = time;
  my $block = 's' x $BLOCK;
  while (time - $from < $seconds) { syswrite $socket, $block or die "write: $!" }
  shutdown $socket, 1;
  sysread $socket, my $total, 64 or die "read: $!";
  printf "%d %.6f\n", $total, time - $from;
}

# Closed by a reset: what an ordinary end leaves behind on one side or the other would use up the ports of one client.
sub connect_often {
  my ($to, $seconds) = @_;
  my ($from, $done) = (time, 0);
  while (time - $from < $seconds) {
    my $socket = opened($to);
    syswrite $socket, "p\n" or die "write: $!";
    sysread $socket, my $answer, 64 or die "read: $!";
    setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    close $socket;
    $done += 1;
  }
  printf "%d %.6f\n", $done, time - $from;
}
