import { Layouts, type LayoutStep, type RowWrite } from '../../src/store/index.ts';

/** What a row of the next layout has that one of this swarmd's has not. */
export const MARK = 'kept';

/** A layout after the one of this swarmd: configs and services have one member more. */
const step: LayoutStep = {
  raise: (row) => changed(row, (value) => ({ ...value, [MARK]: 'as 2' })),
  lower: (row) => changed(row, ({ [MARK]: _, ...value }) => value),
};

/** Those of a newer swarmd. */
export const NEXT = new Layouts([step]);

function changed<R extends RowWrite>(row: R, change: (value: Record<string, unknown>) => object): R {
  if (row.json === null || (row.table !== 'config' && row.table !== 'service')) return row;
  return { ...row, json: JSON.stringify(change(JSON.parse(row.json) as Record<string, unknown>)) };
}
