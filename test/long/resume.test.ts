import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '#contracts';
import { type Stack, startStack, waitFor } from '#testing';
import { storedSegments } from '../chaos/reference.js';
import { type Clip, fileOf, TIMED } from '../clips/good.js';
import { mustRun } from '../clips/run.js';
import { mustComplete, streamOf, upload } from '../pipeline/harness.js';
import { decodeNumbers } from '../verify/frames.js';
import { readMultivariant, type Variant } from '../verify/playlist.js';
import { fetchText } from '../verify/rendition.js';

const clip = TIMED.find(({ name }) => name === 'plain') as Clip;
/** Ten segments, nine of them in one span: what resumes there does so inside of it. */
const ONE_SPAN = { SEGMENT_SECONDS: '1', SPAN_SECONDS: '20', ENCODER_PRESET: 'fast' };
const KILLED_AFTER = 4;
const LIMIT_MS = 180_000;
const ALLOWED_DB = 1;

describe('a span that is begun again', () => {
  let stack: Stack;
  let file: string;
  let undisturbed: JobView;
  beforeAll(async () => {
    file = await fileOf(clip);
    stack = await startStack({ env: { ...ONE_SPAN, ENABLE_DEDUPLICATION: 'false' } });
    undisturbed = await mustComplete(stack, await upload(stack, file), LIMIT_MS);
  }, LIMIT_MS);
  afterAll(async () => {
    await stack?.stop();
  });

  const digests = async (job: string) =>
    (await storedSegments(stack, job)).map(({ rendition, index, sha256 }) => [rendition, index, sha256]);

  async function variantsOf(job: JobView): Promise<Variant[]> {
    const { hls } = streamOf(stack, job);
    return readMultivariant(await fetchText(hls), hls).variants;
  }

  /** Against the source, brought to the rendition's size as the encoder's input was. */
  async function psnrOf(url: string, { width, height }: Variant): Promise<number> {
    const graph = `[0:v]scale=${width}:${height}:flags=bicubic,setpts=N[a];[1:v]setpts=N[b];[a][b]psnr`;
    const { stderr } = await mustRun('ffmpeg', [
      '-nostdin',
      '-i',
      file,
      '-i',
      url,
      '-lavfi',
      graph,
      '-f',
      'null',
      '-',
    ]);
    return Number(/average:([\d.]+)/.exec(stderr)?.[1]);
  }

  it(
    'S0-15 from its start gives the same bytes',
    async () => {
      const again = await mustComplete(stack, await upload(stack, file), LIMIT_MS);
      expect(await digests(again.id)).toEqual(await digests(undisturbed.id));
    },
    LIMIT_MS,
  );

  it(
    'S0-15 inside gives, across the seam, the same frames at the same times, and is as good as undisturbed',
    async () => {
      const job = await upload(stack, file);
      const highest = (await variantsOf(undisturbed))[0] as Variant;
      const name = new URL(highest.url).pathname.split('/').at(-2) as string;
      const storedOf = async () =>
        (await storedSegments(stack, job)).filter(({ rendition }) => rendition === name).length;
      await waitFor(async () => (await storedOf()) >= KILLED_AFTER, {
        what: `${KILLED_AFTER} segments of ${name}`,
        timeoutMs: LIMIT_MS,
        intervalMs: 20,
      });
      await stack.kill('transcode');
      const kept = await digests(job);
      expect(await storedOf()).toBeLessThan(9);
      await stack.restart('transcode');
      const view = await mustComplete(stack, job, LIMIT_MS);
      expect(await digests(job)).toEqual(expect.arrayContaining(kept));

      const usual = await variantsOf(undisturbed);
      for (const [i, variant] of (await variantsOf(view)).entries()) {
        const before = (usual[i] as Variant).url;
        const [seam, whole] = [await decodeNumbers(variant.url), await decodeNumbers(before)];
        expect(seam.complaints).toEqual([]);
        expect(seam.frames).toEqual(whole.frames);
        const [resumed, through] = [await psnrOf(variant.url, variant), await psnrOf(before, variant)];
        console.info(`${variant.height}p: PSNR ${resumed} dB resumed, ${through} dB undisturbed`);
        expect(resumed).toBeGreaterThan(through - ALLOWED_DB);
      }
    },
    LIMIT_MS,
  );
});
