import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobQuality, JobView } from '#contracts';
import { type Stack, startStack, waitFor } from '#testing';
import { type Clip, COPIED, fileOf, SHAPED, TIMED } from '../clips/good.js';
import { isLongRun } from '../long-run.js';
import { jobOf, MANY_SPANS, mustComplete, upload, waitUntilClean } from '../pipeline/harness.js';
import { fetchBytes, fetchText } from '../verify/rendition.js';
import { holdFinishing } from './held.js';
import { frameShown, readStoryboard, sizeOf } from './pictures.js';

const PATIENCE = 120_000;
const TILES = 6;
const FRAMES_A_SECOND = 25;
const ALL_ON = { ...MANY_SPANS, POSTER: 'true', STORYBOARD_TILES: String(TILES), QUALITY_SAMPLES: '2' };

const clipOf = (name: string): Clip => [...TIMED, ...SHAPED, ...COPIED].find((clip) => clip.name === name)!;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: ALL_ON });
});
afterAll(() => stack?.stop());

const at = (path: string | null) => new URL(path ?? 'http://nowhere', stack.urls.gateway).href;
const finished = async (name: string) =>
  mustComplete(stack, await upload(stack, await fileOf(clipOf(name))), PATIENCE);
const qualityOf = (job: JobView) => (job.result as { quality: JobQuality | null }).quality;

async function storyboardOf(job: JobView) {
  const url = at(job.playback.storyboard);
  const cues = readStoryboard(await fetchText(url));
  const sprite = await fetchBytes(new URL(cues[0]!.image, url).href);
  return { cues, sprite };
}

describe('what is made beside and after the encode', { timeout: PATIENCE }, () => {
  it('S1-07 a video gets a poster, a storyboard over all of it, and each encoded rendition is measured', async () => {
    const job = await finished('plain');
    expect(job.warnings).toEqual([]);
    expect(job.result).toMatchObject({ poster: job.playback.poster, storyboard: job.playback.storyboard });

    const poster = await fetch(at(job.playback.poster));
    expect(poster.headers.get('content-type')).toBe('image/jpeg');
    expect(poster.headers.get('cache-control')).toContain('immutable');
    const picture = Buffer.from(await poster.arrayBuffer());
    expect(await sizeOf(picture)).toEqual([854, 480]);
    expect(await frameShown(picture)).toBeGreaterThanOrEqual(FRAMES_A_SECOND);

    const { cues, sprite } = await storyboardOf(job);
    expect((await fetch(at(job.playback.storyboard))).headers.get('content-type')).toContain('text/vtt');
    expect(cues.length).toBeGreaterThan(TILES / 2);
    expect(cues.length).toBeLessThanOrEqual(TILES);
    expect([cues[0]?.start, cues.at(-1)?.end]).toEqual([0, 10]);
    expect(cues.slice(1).map(({ start }) => start)).toEqual(cues.slice(0, -1).map(({ end }) => end));
    expect(await sizeOf(sprite)).toEqual([cues.length * cues[0]!.width, cues[0]!.height]);
    const shown = await Promise.all(cues.map((cue) => frameShown(sprite, cue)));
    expect(shown).toEqual(cues.map(({ start }) => start * FRAMES_A_SECOND));

    const quality = qualityOf(job)!;
    expect(quality).toMatchObject({ metric: 'ssim_psnr', samples: 2 });
    expect(quality.renditions.map(({ name }) => name)).toEqual(['480p', '360p', '240p']);
    for (const { ssim, psnr } of quality.renditions) {
      expect(ssim).toBeGreaterThan(0.9);
      expect(ssim).toBeLessThan(1);
      expect(psnr).toBeGreaterThan(28);
      expect(psnr).toBeLessThan(60);
    }
    const rows = await stack.query('SELECT name, quality FROM renditions WHERE job_id = $1', [job.id]);
    for (const { name, ...score } of quality.renditions)
      expect(rows).toContainEqual({ name, quality: score });
    expect(rows).toContainEqual({ name: 'audio', quality: null });
  });

  it.runIf(isLongRun)('of a copied rung and of pictures that are upright, tiny or alone', async () => {
    const [fit, portrait, tiny, alone] = await Promise.all(
      ['fit', 'rotated-phone', 'tiny', 'one-frame-no-sound'].map(finished),
    );
    expect(qualityOf(fit!)?.renditions.map(({ name }) => name)).toEqual(['240p']);
    expect(qualityOf(tiny!)).toBeNull();
    for (const [job, tiles, tile] of [
      [fit!, TILES, [160, 90]],
      [portrait!, 3, [90, 160]],
      [tiny!, 2, [64, 48]],
      [alone!, 1, [160, 90]],
    ] as const) {
      const { cues } = await storyboardOf(job);
      expect(cues.length, job.filename ?? '').toBeLessThanOrEqual(tiles);
      expect([cues[0]?.width, cues[0]?.height], job.filename ?? '').toEqual(tile);
      const { width, height } = job.renditions[0]!;
      expect(await sizeOf(await fetchBytes(at(job.playback.poster)))).toEqual([width, height]);
      expect(job.warnings).toEqual([]);
    }
  });

  it('a killed process’s work is done again, and the stream can be played meanwhile', async () => {
    const file = await fileOf(clipOf('ntsc-rate'));
    const letGo = await holdFinishing(stack);
    const id = await upload(stack, file);
    const running = await waitFor(
      async () => {
        const job = await jobOf(stack, id);
        return job.playback.hls && job.status === 'processing' ? job : null;
      },
      { what: 'the finished playlists while the job runs', timeoutMs: 40_000 },
    );
    expect((await fetch(at(running.playback.hls))).status).toBe(200);
    expect(running).toMatchObject({ stage: 'validation', playback: { early: expect.any(String) } });
    await stack.kill('transcode');
    await stack.query(`UPDATE finishing_tasks SET attempts = 0, status = 'running', lease_number = 7,
      lease_expires_at = now() WHERE job_id = '${id}'`);
    await letGo();
    await stack.restart('transcode');
    const job = await mustComplete(stack, id, PATIENCE);
    expect(job.warnings).toEqual([]);
    expect(job.playback.poster).not.toBeNull();
    expect(qualityOf(job)?.samples).toBe(2);
  });

  it('S3-03 a job that is cancelled meanwhile leaves nothing', async () => {
    const letGo = await holdFinishing(stack);
    let ids = { session: '', job: '' };
    await upload(stack, await fileOf(clipOf('portrait')), (session) => {
      ids = session;
    });
    await waitFor(async () => (await jobOf(stack, ids.job)).playback.hls, {
      what: 'the finished playlists',
      timeoutMs: 40_000,
    });
    await fetch(`${stack.urls.upload}/v1/upload/video/session/${ids.session}`, { method: 'DELETE' });
    await letGo();
    await waitUntilClean(stack, ids);
    await waitFor(
      async () =>
        (await stack.query('SELECT 1 FROM finishing_tasks WHERE job_id = $1', [ids.job])).length === 0,
      { what: 'its rows to go' },
    );
  });
});
