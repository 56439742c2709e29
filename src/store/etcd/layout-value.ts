import { VERSION } from '../../base/version.ts';

/** The layout of a state as etcd has it: its number, and the version of swarmd that wrote it first. */
export function layoutValue(layout: number): Uint8Array {
  return Buffer.from(`${layout} ${VERSION}`);
}

/** Undefined for what is no layout. */
export function layoutOf(value: Uint8Array): { readonly layout: number; readonly since: string } | undefined {
  const [, layout, since = ''] = /^(\d{1,9})(?: (.+))?$/.exec(Buffer.from(value).toString()) ?? [];
  return layout === undefined ? undefined : { layout: Number(layout), since };
}
