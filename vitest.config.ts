import { defineConfig } from 'vitest/config';

/** The tests import what was built; `npm test` builds first. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['node_modules/**', 'test/long/**'],
    globalSetup: ['./dist/libs/testing/src/global-setup.js'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
  },
});
