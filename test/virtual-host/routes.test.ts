import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Router } from '../../src/docker-api/index.ts';
import { createRoutes } from '../../src/virtual-host/routes.ts';

const here = new URL('./', import.meta.url);
const routes = createRoutes();
const router = new Router(routes);

/** The routes of a schema: our own list, or the file that ENGINE_API_SCHEMA names. */
function schemaRoutes(): [method: string, pattern: string][] {
  const schema = process.env['ENGINE_API_SCHEMA'];
  if (schema === undefined) {
    const lines = readFileSync(new URL('engine-api-1.51.txt', here), 'utf8').split('\n');
    return lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(' ') as [string, string]);
  }
  let path = '';
  return readFileSync(schema, 'utf8')
    .split('\n')
    .flatMap((line): [string, string][] => {
      path = /^ {2}(\/\S*):\s*$/.exec(line)?.[1] ?? path;
      const method = /^ {4}(get|post|put|delete|head):/.exec(line)?.[1];
      return method === undefined ? [] : [[method.toUpperCase(), path]];
    });
}

/** What standalone Swarm had besides. */
const STANDALONE: [string, string][] = [
  ['GET', '/containers/ps'],
  ['POST', '/containers/{name}/copy'],
];

describe('the table of routes', () => {
  const wanted = [...schemaRoutes(), ...STANDALONE];

  it('was compared with a whole schema', () => {
    expect(wanted.length).toBeGreaterThan(100);
  });

  it.each(wanted)('says what happens to %s %s', (method, pattern) => {
    const found = router.find(method, pattern.replace(/\{\w+\}/g, 'x'));
    expect(found?.route.pattern.replace(/\{\w+\}/g, '{}')).toBe(pattern.replace(/\{\w+\}/g, '{}'));
  });

  it('is the one that the design note shows', () => {
    const note = readFileSync(new URL('../../docs/design/virtual-host.md', here), 'utf8');
    const shown = [...note.matchAll(/^\| `([A-Z]+) (\/\S*)` \| (\w+) \|/gm)].map(
      ([, method, pattern, treatment]) => `${method} ${pattern} ${treatment}`,
    );
    expect(shown.sort()).toEqual(
      routes.map(({ method, pattern, treatment }) => `${method} ${pattern} ${treatment}`).sort(),
    );
  });

  it('finds names that hold slashes', () => {
    expect(router.find('GET', '/containers/core-01/web/logs')?.params).toEqual({ name: 'core-01/web' });
    expect(router.find('GET', '/images/registry:5000/team/app:1/json')?.params).toEqual({
      name: 'registry:5000/team/app:1',
    });
  });
});
