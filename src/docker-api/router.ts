/** A route as the tables write it: `{name}` takes any number of path segments, as image and `node/name` names do. */
export interface RoutePattern {
  method: string;
  pattern: string;
}

interface Compiled<R> {
  route: R;
  expression: RegExp;
  names: string[];
}

/** Finds the route of a request; routes that stand first win. */
export class Router<R extends RoutePattern> {
  readonly #byKey = new Map<string, Compiled<R>[]>();

  constructor(routes: Iterable<R>) {
    for (const route of routes) {
      const key = keyOf(route.method, route.pattern);
      const names: string[] = [];
      const source = route.pattern.replace(/\{(\w+)\}/g, (_, name: string) => {
        names.push(name);
        return '(.+)';
      });
      const list = this.#byKey.get(key) ?? [];
      list.push({ route, names, expression: new RegExp(`^${source}$`, 's') });
      this.#byKey.set(key, list);
    }
  }

  /** The route of a decoded path, and what its pattern took out of it. */
  find(method: string, path: string): { route: R; params: Record<string, string> } | undefined {
    for (const { route, expression, names } of this.#byKey.get(keyOf(method, path)) ?? []) {
      const match = expression.exec(path);
      if (!match) continue;
      const params: Record<string, string> = {};
      names.forEach((name, i) => {
        params[name] = match[i + 1] ?? '';
      });
      return { route, params };
    }
    return undefined;
  }
}

function nounOf(path: string): string {
  const end = path.indexOf('/', 1);
  return end < 0 ? path : path.slice(0, end);
}

function keyOf(method: string, path: string): string {
  return `${method} ${nounOf(path)}`;
}
