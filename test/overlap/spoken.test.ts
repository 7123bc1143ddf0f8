import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Stack, startStack, waitFor } from '#testing';
import { spoken } from '../clips/spoken.js';
import { MANY_SPANS, mustComplete, streamOf } from '../pipeline/harness.js';
import { readMultivariant } from '../verify/playlist.js';
import { fetchText } from '../verify/rendition.js';
import { verifyStream } from '../verify/stream.js';
import { HeldUpload } from './held-upload.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: MANY_SPANS });
});
afterAll(async () => {
  await stack?.stop();
});

it('S4-08 a Matroska file with languages and text is encoded while it arrives, and has them all in the end', async () => {
  const source = await spoken({ file: 'spoken.mkv', seconds: 9, textCodecs: ['subrip', 'ass'] });
  const upload = await HeldUpload.open(stack, source, { order: 'in-order' });
  await upload.sendTo(0.75);
  const segments = async () =>
    (await stack.query('SELECT count(*)::int AS n FROM segments WHERE job_id = $1', [upload.job]))[0]?.n;
  await waitFor(async () => Number(await segments()) > 3, { what: 'segments of what is there' });
  await upload.finish();
  const { hls, dash } = streamOf(stack, await mustComplete(stack, upload.job));
  const verified = await verifyStream({ hls, dash }, { source, frames: 'numbered', sound: true });
  expect(verified.problems).toEqual([]);
  const { audio, subtitles } = readMultivariant(await fetchText(hls), hls);
  expect(audio).toHaveLength(3);
  expect(subtitles).toHaveLength(2);
});
