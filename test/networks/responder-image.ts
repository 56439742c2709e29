import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { archiveOf } from '../hosts/index.ts';

/**
 * `responder:latest`, a server that says who it is and who asks (responder.pl tells the rest): its archive. It is
 * written in Perl because every Debian has one without asking, and a container with it starts at once.
 */
export function responderArchive(): Promise<string> {
  const script = readFileSync(new URL('responder.pl', import.meta.url), 'utf8');
  // The part that is in every Debian; a machine may have more.
  const folders = execFileSync('/usr/bin/perl', ['-e', 'print grep { m{/perl-base$} } @INC'], {
    encoding: 'utf8',
  });
  const source = {
    tags: ['responder:latest'],
    files: { 'usr/bin/responder': script },
    fromHere: ['/usr/bin/perl', folders],
    command: ['responder', 'tcp:80'],
    port: 80,
  };
  return archiveOf('responder', [source]);
}
