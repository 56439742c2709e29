/** What only one of the two has. */
export function differing<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): T[] {
  return [...[...a].filter((one) => !b.has(one)), ...[...b].filter((one) => !a.has(one))];
}
