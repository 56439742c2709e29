import { Bell } from '../base/bell.ts';
import type { LoopContext } from '../store/index.ts';
import { AllocatorRun } from './run.ts';
import { ALLOCATED_KINDS } from './state.ts';

/**
 * Gives networks their subnets and VXLAN ids, services their virtual IPs and ports, tasks and nodes their addresses, as
 * long as the signal lets it. It alone writes these; so what it finds free in its book is free. Everything is planned
 * from the rows as they are, checked again in the update, and then read back from the rows: a write that did not come
 * about gives back what it took.
 */
export async function runAllocator(context: LoopContext, signal: AbortSignal): Promise<void> {
  const { store } = context;
  const bell = new Bell();
  const run = new AllocatorRun(context, signal);
  const unwatch = store.watch((events) => {
    for (const { kind, object } of events) run.note(kind, object.id);
    bell.ring();
  });
  try {
    for (const kind of ALLOCATED_KINDS) for (const { id } of store.view.all(kind)) run.note(kind, id);
    do await run.settle();
    while (await bell.heard(signal));
  } finally {
    unwatch();
  }
}
