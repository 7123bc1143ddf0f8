import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Stack, startStack, waitFor } from '#testing';
import { COPIED, fileOf } from '../clips/good.js';
import { spoken } from '../clips/spoken.js';
import { isLongRun } from '../long-run.js';
import { readMultivariant } from '../verify/playlist.js';
import { fetchText } from '../verify/rendition.js';
import { verifyStream } from '../verify/stream.js';
import { verifyTsStream } from '../verify/ts-stream.js';
import { jobOf, MANY_SPANS, mustComplete, streamOf, upload } from './harness.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: MANY_SPANS });
});
afterAll(async () => {
  await stack?.stop();
});

const at = (path: string | null | undefined) => {
  if (!path) throw new Error('a job without a place to play as MPEG-TS');
  return new URL(path, stack.urls.gateway).href;
};

it('S0-11 an upload that wants MPEG-TS has it beside CMAF: the same pictures, sound and text, early and finished', async () => {
  const source = await spoken({ file: 'spoken.mkv', seconds: 3, textCodecs: ['subrip', 'ass'] });
  const now = { id: '' };
  const sent = upload(stack, source, ({ job }) => void Object.assign(now, { id: job }), { ts: true });
  const early = await waitFor(async () => now.id !== '' && (await jobOf(stack, now.id)).playback.early_ts, {
    what: 'an early playlist over MPEG-TS',
    timeoutMs: 30_000,
  }).catch(() => null);
  const job = await mustComplete(stack, await sent);
  const streams = { ...streamOf(stack, job), hls_ts: at(job.playback.hls_ts) };
  expect(job.result).toMatchObject({ hls_ts: job.playback.hls_ts, warnings: [] });
  expect(await verifyTsStream(streams)).toEqual([]);
  expect((await verifyStream(streams, { source, frames: 'numbered', sound: true })).problems).toEqual([]);

  const [object] = await stack.query(
    `SELECT ts_path, ts_size::int AS size FROM segments WHERE job_id = $1 AND ts_path LIKE '%/240p/%' LIMIT 1`,
    [job.id],
  );
  const response = await fetch(`${stack.urls.gateway}/${object?.ts_path}`);
  expect(response.headers.get('content-type')).toBe('video/mp2t');
  expect(response.headers.get('content-length')).toBe(String(object?.size));

  const { subtitles } = readMultivariant(await fetchText(streams.hls_ts), streams.hls_ts);
  expect(subtitles).toHaveLength(2);
  const list = await fetchText(subtitles[0]?.url ?? '');
  const text = await fetchText(new URL(/^seg\S+\.vtt$/m.exec(list)?.[0] ?? '', subtitles[0]?.url).href);
  expect(text).toMatch(/^WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00\.000\n/);

  // Whoever was not fast enough to see it while the job ran sees what it has become.
  const opening = at(early || job.playback.hls_ts?.replace('master-ts', 'early-ts'));
  const first = readMultivariant(await fetchText(opening), opening);
  expect(first.variants).toHaveLength(1);
  const growing = await fetchText(first.variants[0]?.url ?? '');
  expect(growing).toMatch(
    /^#EXTM3U\n#EXT-X-VERSION:4\n[\s\S]*seg_0000-[0-9a-f]{8}\.ts\n[\s\S]*#EXT-X-ENDLIST\n$/,
  );
  expect(growing).not.toContain('EXT-X-MAP');
}, 60_000);

it.runIf(isLongRun)(
  'S0-11 a copied rung is there as MPEG-TS, too',
  async () => {
    const fit = COPIED.find(({ name }) => name === 'fit')!;
    const job = await mustComplete(stack, await upload(stack, await fileOf(fit), undefined, { ts: 'true' }));
    const modes = await stack.query('SELECT mode FROM renditions WHERE job_id = $1', [job.id]);
    expect(modes.map((row) => row.mode)).toContain('copy');
    expect(await verifyTsStream({ ...streamOf(stack, job), hls_ts: at(job.playback.hls_ts) })).toEqual([]);
  },
  60_000,
);

it('S0-11 who does not ask has CMAF alone, and what is no answer is refused', async () => {
  const source = await spoken({ file: 'spoken.mkv', seconds: 3, textCodecs: ['subrip', 'ass'] });
  await expect(upload(stack, source, undefined, { ts: 'both' })).rejects.toThrow(
    /options\.ts must be true or false/,
  );
  const job = await mustComplete(stack, await upload(stack, source, undefined, { audio: 'none', ts: false }));
  expect(job.playback.hls_ts).toBeNull();
  const missing = await fetch(streamOf(stack, job).hls.replace('master', 'early-ts'));
  expect(missing.status).toBe(404);
}, 60_000);
