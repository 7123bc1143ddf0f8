import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENCODERS } from '#contracts';
import { type Stack, startStack } from '#testing';
import { type Clip, COPIED, fileOf, SHAPED, TIMED } from '../clips/good.js';
import { downloadsOf, expectSameAsStream } from '../finishing/mp4-file.js';
import { isLongRun } from '../long-run.js';
import { fetchText } from '../verify/rendition.js';
import { verifyStream } from '../verify/stream.js';
import { MANY_SPANS, mustComplete, streamOf, upload } from './harness.js';

const listed = execFileSync('ffmpeg', ['-hide_banner', '-encoders'], { encoding: 'utf8' });
const has = (...names: readonly string[]) => names.some((name) => listed.includes(` ${name} `));
const named = (clips: Clip[], name: string) => clips.find((clip) => clip.name === name) as Clip;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { ...MANY_SPANS, DOWNLOADS: 'top' }, services: { transcode: 2 } });
});
afterAll(async () => {
  await stack?.stop();
});

const CASES = [
  {
    profile: 'hevc',
    // Fit to be copied, were it not H.264.
    clip: isLongRun ? named(COPIED, 'fit-no-sound') : named(SHAPED, 'tiny'),
    codecs: /CODECS="hvc1\.1\.6\.L\d+\.9\d(\.[0-9A-F]{1,2})*(,mp4a\.40\.2)?"/,
    isThere: has('libx265'),
  },
  {
    profile: 'av1',
    clip: named(TIMED, 'moov-at-the-end'),
    codecs: /CODECS="av01\.0\.\d\dM\.08,mp4a\.40\.2"/,
    isThere: has('libsvtav1', 'libaom-av1'),
  },
];

describe.each(CASES.filter(({ profile }) => isLongRun || profile === 'hevc'))(
  'the profile $profile',
  ({ profile, clip, codecs, isThere }) => {
    it.skipIf(!isThere)(
      `S1-08 becomes HLS and DASH that say ${profile}, with every frame of the source once${isThere ? '' : ' (skipped: this ffmpeg has no encoder of it)'}`,
      async () => {
        const source = await fileOf(clip);
        const job = await mustComplete(stack, await upload(stack, source, undefined, { profile }));
        const urls = streamOf(stack, job);
        const { problems } = await verifyStream(urls, { source, frames: 'numbered', sound: clip.sound });
        expect(problems).toEqual([]);
        const text = await fetchText(urls.hls);
        expect(text).toMatch(codecs);
        expect(text).not.toContain('avc1');
        const [row] = await stack.query(
          `SELECT plan -> 'encoder' ->> 'name' AS encoder, assets.profile, unclean.attempts FROM jobs
         JOIN assets ON assets.id = jobs.asset_id,
         LATERAL (SELECT sum(attempts)::int AS attempts FROM spans WHERE job_id = jobs.id) AS unclean
         WHERE jobs.id = $1`,
          [job.id],
        );
        expect(row).toMatchObject({ profile, attempts: 0 });
        expect(Object.values(ENCODERS).flat()).toContain(row?.encoder);
        expect(job.renditions.every((one) => one.mode === 'encode')).toBe(true);
        expect(downloadsOf(job)).toHaveLength(1);
        await expectSameAsStream(stack, job, downloadsOf(job)[0]!, clip.sound);
      },
    );
  },
);
