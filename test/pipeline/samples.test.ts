import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack } from '#testing';
import { isLongRun } from '../long-run.js';
import { verifyStream } from '../verify/stream.js';
import { mustComplete, streamOf, upload } from './harness.js';

const VIDEO = /\.(mp4|m4v|mov|avi|mkv|webm|ogg|ogv|3gp|ts|m2ts)$/i;
const folder = process.env.SLUICE_SAMPLES;
const found = folder ? readdirSync(folder).filter((name) => VIDEO.test(name)) : [];
/** A small one; the long run takes all. */
const OFTEN = ['here-we-are.webm'];
const few = found.filter((name) => OFTEN.includes(name));
const samples = isLongRun || few.length === 0 ? found : few;
/** The long run encodes all of its rungs. */
const CHOICE = isLongRun ? undefined : { renditions: ['240p'] };
/** A sample may be minutes long, and two cores encode it for all rungs. */
const PATIENCE_MS = 300_000;

describe('videos in the folder that SLUICE_SAMPLES names', () => {
  if (!folder) {
    it('no samples', (context) => {
      context.skip('set SLUICE_SAMPLES to a folder of videos to run them through the pipeline');
    });
    return;
  }
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ env: { ENCODER_PRESET: 'ultrafast', SPAN_SECONDS: '10' } });
  });
  afterAll(async () => {
    await stack?.stop();
  });

  it.each(samples)(
    'S1-08 %s',
    async (name) => {
      const source = path.join(folder, name);
      const job = await mustComplete(stack, await upload(stack, source, undefined, CHOICE), PATIENCE_MS);
      const verified = await verifyStream(streamOf(stack, job), { source, frames: 'pictures' });
      expect(verified.problems).toEqual([]);
    },
    PATIENCE_MS,
  );
});
