import { asArray, asObject, asString, type Json } from '../../base/json.ts';

/**
 * What of a table differs from what it should be, by the names of its chains, sets and maps; `wished` and `found` as
 * `nft --json --stateless list table` shows them.
 */
export function differences(wished: string, found: string): string[] {
  const [should, is] = [contents(wished), contents(found)];
  const names = new Set([...should.keys(), ...is.keys()]);
  return [...names].filter((name) => should.get(name) !== is.get(name)).sort();
}

/** What is compared of each chain, with its rules in their order, and of each set. */
function contents(listing: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const item of asArray(asObject(JSON.parse(listing)).nftables).map(asObject)) {
    const [kind = '', value] = Object.entries(item)[0] ?? [];
    const object = asObject(value);
    const name = asString(kind === 'rule' ? object.chain : object.name);
    if (kind === 'metainfo' || kind === 'table' || name === 'seal') continue;
    const key = kind === 'rule' ? `chain ${name}` : `${kind} ${name}`;
    found.set(key, `${found.get(key) ?? ''}${JSON.stringify(plain(object))}\n`);
  }
  return found;
}

/** Without what differs from one making to the next: handles, and the order of elements. */
function plain({ handle: _handle, elem, ...rest }: Json): Json {
  if (elem === undefined) return rest;
  return {
    ...rest,
    elem: asArray(elem)
      .map((one) => JSON.stringify(one))
      .sort(),
  };
}
