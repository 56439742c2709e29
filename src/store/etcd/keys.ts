/** Keys from `key` up to, but not, `rangeEnd`. */
export interface KeyRange {
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

/** What follows a slash. */
const AFTER_SLASH = '0';
/** Where the large bytes of a row are, below it. */
const DATA = 'data';

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** Where things are in etcd. */
export interface Keys {
  /** Says which swarm's keys are below the prefix: its id. */
  readonly pointer: Uint8Array;
  /** All keys of the swarm. */
  readonly all: KeyRange;
  /** Who leads; under the leader's lease. */
  readonly leader: Uint8Array;
  /** Each manager that is there; under its own lease. */
  readonly managers: KeyRange;
  manager(nodeId: string): Uint8Array;
  /** How far a copy of a state has come that is not one yet. */
  readonly copy: Uint8Array;
  /** All that is written by commits: rows, their revision, the layout's version. */
  readonly state: KeyRange;
  readonly revision: Uint8Array;
  readonly layout: Uint8Array;
  row(table: string, id: string): RowKeys;
  readonly rows: KeyRange;
  /** The rows of one table. */
  table(table: string): KeyRange;
  /** What a key of the state is; undefined for one that is not known. */
  read(key: Uint8Array): StateKey | undefined;
}

export interface RowKeys {
  readonly json: Uint8Array;
  readonly data: Uint8Array;
  /** Both, and nothing else. */
  readonly both: KeyRange;
}

export type StateKey =
  | { readonly kind: 'revision' | 'layout' }
  | { readonly kind: 'manager'; readonly id: string }
  | { readonly kind: 'row' | 'data'; readonly table: string; readonly id: string };

/**
 * The keys of one swarm:
 *
 *     <prefix>/cluster                             the swarm's id
 *     <prefix>/<id>/leader
 *     <prefix>/<id>/copy                           while a state is brought here: how far it has come
 *     <prefix>/<id>/managers/<node>                who is there
 *     <prefix>/<id>/state/layout
 *     <prefix>/<id>/state/revision
 *     <prefix>/<id>/state/rows/<table>/<row>/      its JSON; a row's keys end in a slash, so that one range has them all
 *     <prefix>/<id>/state/rows/<table>/<row>/data  its bytes, where they are many
 */
export function keysOf(prefix: string, clusterId: string): Keys {
  const all = `${prefix}/${clusterId}/`;
  const managers = `${all}managers/`;
  const state = `${all}state/`;
  const rows = `${state}rows/`;
  const revision = `${state}revision`;
  const layout = `${state}layout`;
  return {
    pointer: pointerKey(prefix),
    all: below(all),
    leader: bytes(`${all}leader`),
    managers: below(managers),
    manager: (nodeId) => bytes(`${managers}${escaped(nodeId)}`),
    copy: bytes(`${all}copy`),
    state: below(state),
    revision: bytes(revision),
    layout: bytes(layout),
    row: (table, id) => {
      const json = `${rows}${table}/${escaped(id)}/`;
      return { json: bytes(json), data: bytes(`${json}${DATA}`), both: below(json) };
    },
    rows: below(rows),
    table: (table) => below(`${rows}${table}/`),
    read: (key) => {
      const text = Buffer.from(key).toString();
      if (text === revision) return { kind: 'revision' };
      if (text === layout) return { kind: 'layout' };
      if (text.startsWith(managers)) return { kind: 'manager', id: unescaped(text.slice(managers.length)) };
      if (!text.startsWith(rows)) return undefined;
      const [table, id, last, ...more] = text.slice(rows.length).split('/');
      if (table === undefined || id === undefined || more.length > 0) return undefined;
      if (last !== '' && last !== DATA) return undefined;
      return { kind: last === '' ? 'row' : 'data', table, id: unescaped(id) };
    },
  };
}

export function pointerKey(prefix: string): Uint8Array {
  return bytes(`${prefix}/cluster`);
}

/** All keys that begin with a text that ends in a slash. */
function below(folder: string): KeyRange {
  return { key: bytes(folder), rangeEnd: bytes(`${folder.slice(0, -1)}${AFTER_SLASH}`) };
}

function escaped(id: string): string {
  return id.replaceAll('%', '%25').replaceAll('/', '%2F');
}

function unescaped(id: string): string {
  return id.replaceAll('%2F', '/').replaceAll('%25', '%');
}
