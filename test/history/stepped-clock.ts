import { readFileSync } from 'node:fs';

// Loaded into swarmd before it begins (node --import): what the date is there is as many milliseconds off as a file says, from the
// moment on that it says so. Time that only goes forward (performance.now(), timers) is the machine's.

/** How late a step may be. */
const LOOK_MS = 50;

const file = process.env['TEST_CLOCK_FILE'];
let offMs = 0;

function look(path: string): void {
  try {
    offMs = Number(readFileSync(path, 'utf8'));
  } catch {
    offMs = 0;
  }
}

if (file !== undefined) {
  look(file);
  setInterval(() => look(file), LOOK_MS).unref();
  const Real = Date;
  globalThis.Date = new Proxy(Real, {
    construct: (target, args: unknown[], made) =>
      Reflect.construct(target, args.length === 0 ? [Real.now() + offMs] : args, made) as Date,
    apply: () => new Real(Real.now() + offMs).toString(),
    get: (target, name, receiver): unknown =>
      name === 'now' ? () => Real.now() + offMs : Reflect.get(target, name, receiver),
  });
}
