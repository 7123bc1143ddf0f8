import { defineConfig } from 'vitest/config';

/** The tests import what was built; `npm test` builds first. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['node_modules/**', 'test/long/**'],
    globalSetup: ['./dist/libs/testing/src/global-setup.js'],
    pool: 'forks',
    // What a file imports is there for the next ones; each has its own services, database and folders.
    isolate: false,
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
  },
});
