import { defineConfig } from 'vitest/config';

/** Constant load, of which not one request may fail: engines that wait for a processor lose sight of one another. */
const loads = ['test/networks/endings.test.ts', 'test/networks/loss.test.ts'];

/** Judges what real engines did; needs none. */
const pure = 'test/history/check/*.test.ts';

// Vitest's own HTTP and browser parts are not used; what matters is the split: pure tests run side by side, tests
// on real engines two files at a time, because each starts several daemons, and those under load by themselves.
export default defineConfig({
  test: {
    pool: 'forks', // real hosts end with the process that started them
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'bench/**/*.test.ts', pure],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/**/*.test.ts'],
          exclude: [...loads, pure],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          maxConcurrency: 12, // of one file's concurrent tests: most wait for a time to live
        },
      },
      {
        test: {
          name: 'alone',
          include: loads,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
