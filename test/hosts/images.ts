import { archiveOf, type ImageSource } from './image-archive.ts';

/** A server script that ends at once when it is told to, although it is the first process of its container. */
const serve = (line: string, command: string): string =>
  `#!/bin/sh\n${line}\n${command} &\ntrap "kill $!; exit 0" TERM INT QUIT\nwait $!\n`;

/** Names that guides use, each with something behind it that behaves like it from outside. */
const sources: readonly ImageSource[] = [
  { tags: ['busybox:latest', 'alpine:latest'], files: {}, command: ['sh'] },
  {
    tags: ['nginx:latest'],
    files: {
      'usr/sbin/nginx': serve(
        'page=/usr/share/nginx/html/index.html; [ -s $page ] || echo "<h1>nginx stand-in on $(hostname)</h1>" > $page',
        'httpd -f -vv -p 80 -h /usr/share/nginx/html',
      ),
      'usr/share/nginx/html/50x.html': '<h1>50x</h1>\n',
    },
    command: ['nginx', '-g', 'daemon off;'],
    port: 80,
  },
  {
    tags: ['redis:latest'],
    files: {
      'usr/local/bin/redis-server': serve(
        'echo "* Ready to accept connections (stand-in)"',
        'nc -ll -p 6379 -e /usr/local/bin/redis-answer',
      ),
      'usr/local/bin/redis-answer':
        '#!/bin/sh\nwhile read -r line; do case "$line" in [Pp][Ii][Nn][Gg]*) printf "+PONG\\r\\n";; *) printf "%s\\r\\n" "-ERR stand-in";; esac; done\n',
      'usr/local/bin/redis-cli': '#!/bin/sh\nprintf "%s\\r\\n" "$*" | nc -w 1 127.0.0.1 6379 | tr -d "+"\n',
    },
    command: ['redis-server'],
    port: 6379,
  },
];

/** One archive for `docker load` with busybox, a small web server (nginx) and a cache stand-in (redis): its path. */
export function imageArchive(): Promise<string> {
  return archiveOf('images', sources);
}
