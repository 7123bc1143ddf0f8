import { defineConfig } from 'vitest/config';
import ordinary from './vitest.config.js';

// Of the stores that S3_SERVER starts, the one that is too heavy for a run after every change.
process.env.S3_KIND ??= 'ceph';
process.env.SLUICE_TEST_LONG = '1';

/** `npm run test:long`: what needs more time, or heavier programs, than a run after every change may. */
export default defineConfig({
  test: {
    ...ordinary.test,
    include: [
      'test/long/**/*.test.ts',
      'test/storage/s3*.test.ts',
      // Some of theirs are left out of the ordinary run.
      'test/pipeline/samples.test.ts',
      'test/transcode/start-set.test.ts',
      'test/overlap/twins.test.ts',
      'test/upload/property.test.ts',
    ],
    exclude: ['node_modules/**'],
  },
});
