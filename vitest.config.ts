import { defineConfig } from 'vitest/config';

// Vitest's own HTTP and browser parts are not used; what matters is the split: pure tests run side by side, tests
// on real engines two files at a time, because each starts several daemons.
export default defineConfig({
  test: {
    pool: 'forks', // real hosts end with the process that started them
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'bench/**/*.test.ts'], testTimeout: 20_000 } },
      {
        test: {
          name: 'real',
          include: ['test/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          maxConcurrency: 12, // of one file's concurrent tests: most wait for a time to live
        },
      },
    ],
  },
});
