import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack } from '#testing';
import { type Clip, CONTAINED, COPIED, fileOf, SHAPED, TIMED } from '../clips/good.js';
import { isLongRun } from '../long-run.js';
import { verifyStream } from '../verify/stream.js';
import { MANY_SPANS, mustComplete, streamOf, upload } from './harness.js';

/** What is like another one in all but a little. */
const RARELY = [
  ...['plain', 'moov-at-the-end', 'sound-longer', 'sound-late', 'one-frame-no-sound', 'fit-moov-at-the-end'],
  ...['portrait', 'pixels-not-square', 'tiny', 'mono-44k', 'avi', '3gp'],
  ...['surround', 'ogg', 'sound-shorter', 'fit-no-sound', 'fragmented', 'edit-list'],
  // Whose uploads are overlapped, in test/overlap.
  ...['matroska', 'transport-stream'],
];

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: MANY_SPANS });
});
afterAll(async () => {
  await stack?.stop();
});

const CASES: [what: string, clips: Clip[]][] = [
  ['videos whose times are plain, and those whose times are strange', TIMED],
  ['S3-05 pictures, sounds and containers of all kinds', [...SHAPED, ...CONTAINED]],
  ['a fit source is copied, and one that only looks fit is not', COPIED],
];

/** Every clip goes in by shuffled parallel chunks on one stack and comes out as a stream that is right. */
describe.each(CASES)('%s', (_, clips) => {
  it.each(clips.filter(({ name }) => isLongRun || !RARELY.includes(name)))('S1-08 $name', async (clip) => {
    const source = await fileOf(clip);
    const job = await mustComplete(stack, await upload(stack, source));
    expect(job).toMatchObject({ stage: 'completed', progress: 100, error_code: null });

    const rows = await stack.query('SELECT name, mode FROM renditions WHERE job_id = $1 ORDER BY position', [
      job.id,
    ]);
    const copied = rows.filter((row) => row.mode === 'copy').map((row) => row.name);
    expect(copied, 'copied renditions').toEqual(clip.fit ? [rows[0]?.name] : []);

    const verified = await verifyStream(streamOf(stack, job), { ...clip, source, frames: 'numbered' });
    expect(verified.problems).toEqual([]);
    expect(verified.videos).toEqual(rows.map((row) => row.name).filter((name) => name !== 'audio'));
  });
});
