import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack } from '#testing';
import { type Clip, fileOf } from '../clips/good.js';
import { isLongRun } from '../long-run.js';
import { verifyStream } from '../verify/stream.js';
import { MANY_SPANS, mustComplete, streamOf, upload } from './harness.js';

/** What is like another one in all but a little. */
const RARELY = [
  ...['moov-at-the-end', 'sound-longer', 'sound-late', 'one-frame-no-sound', 'fit-moov-at-the-end'],
  ...['portrait', 'pixels-not-square', 'tiny', 'mono-44k', 'avi', '3gp'],
];

/** Every clip goes in by shuffled parallel chunks on one stack and comes out as a stream that is right. */
export function clipCases(title: string, clips: Clip[], env: Record<string, string> = {}): void {
  describe(title, () => {
    let stack: Stack;
    beforeAll(async () => {
      stack = await startStack({ env: { ...MANY_SPANS, ...env } });
    });
    afterAll(async () => {
      await stack?.stop();
    });

    it.each(clips.filter(({ name }) => isLongRun || !RARELY.includes(name)))('S1-08 $name', async (clip) => {
      const source = await fileOf(clip);
      const job = await mustComplete(stack, await upload(stack, source));
      expect(job).toMatchObject({ stage: 'completed', progress: 100, error_code: null });

      const rows = await stack.query(
        'SELECT name, mode FROM renditions WHERE job_id = $1 ORDER BY position',
        [job.id],
      );
      const copied = rows.filter((row) => row.mode === 'copy').map((row) => row.name);
      expect(copied, 'copied renditions').toEqual(clip.fit ? [rows[0]?.name] : []);

      const verified = await verifyStream(streamOf(stack, job), { ...clip, source, frames: 'numbered' });
      expect(verified.problems).toEqual([]);
      expect(verified.videos).toEqual(rows.map((row) => row.name).filter((name) => name !== 'audio'));
    });
  });
}
