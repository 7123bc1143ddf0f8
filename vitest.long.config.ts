import { defineConfig } from 'vitest/config';
import ordinary from './vitest.config.js';

// Of the stores that S3_SERVER starts, the one that is too heavy for a run after every change.
process.env.S3_KIND ??= 'ceph';
process.env.SLUICE_TEST_LONG = '1';

/** `npm run test:long`: all tests, those that need more time or heavier programs than a run after every change may as well. */
export default defineConfig({
  test: { ...ordinary.test, exclude: ['node_modules/**'] },
});
