import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack, waitFor } from '#testing';
import { fileOf, type Overlapped } from '../clips/good.js';
import { jobOf, MANY_SPANS, mustComplete, streamOf } from '../pipeline/harness.js';
import { verifyStream } from '../verify/stream.js';
import { HeldUpload } from './held-upload.js';

const PATIENCE = 60_000;

const storedOf = async (stack: Stack, job: string) =>
  (await stack.query(
    `SELECT r.name, count(g.segment_index)::integer AS stored FROM renditions r
     LEFT JOIN segments g ON g.rendition_id = r.id WHERE r.job_id = $1 GROUP BY r.name`,
    [job],
  )) as { name: string; stored: number }[];

/** Three quarters of each are sent; what they hold is stored and can be played, and the rest then makes a whole. */
export function playsWhileItArrives(clips: Overlapped[]): void {
  describe('a video whose upload still runs', { timeout: PATIENCE }, () => {
    let stack: Stack;
    beforeAll(async () => {
      stack = await startStack({ env: MANY_SPANS });
    });
    afterAll(async () => {
      await stack?.stop();
    });

    it.each(clips)('is encoded, stored and playable meanwhile ($name, $order)', async (clip) => {
      const source = await fileOf(clip);
      const upload = await HeldUpload.open(stack, source, clip);
      await upload.sendTo(0.75);
      // Of every rendition, what lies well before the last byte that is there.
      await waitFor(
        async () => {
          const renditions = await storedOf(stack, upload.job);
          return renditions.length >= 2 && renditions.every(({ stored }) => stored >= (clip.fit ? 2 : 3));
        },
        { what: 'segments of every rendition', timeoutMs: 30_000 },
      );
      const job = await jobOf(stack, upload.job);
      expect(job).toMatchObject({ status: 'processing', stage: 'transcoding' });
      expect(job.bytes_received).toBeLessThan(job.bytes_total as number);
      const early = new URL(job.playback.early as string, stack.urls.gateway).href;
      expect((await fetch(early)).status).toBe(200);

      await upload.finish();
      const done = await mustComplete(stack, upload.job);
      const verified = await verifyStream(streamOf(stack, done), { ...clip, source, frames: 'numbered' });
      expect(verified.problems).toEqual([]);
      expect(done.renditions.map(({ mode }) => mode).includes('copy')).toBe(clip.fit);
    });
  });
}
