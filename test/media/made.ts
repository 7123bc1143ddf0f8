import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { analyzeSource, type Plan, type PlanOptions, planJob, type SourceLimits, videoRun } from '#media';
import { mustRun } from '../clips/run.js';
import { serveFolder } from '../verify/serve.js';
import { options } from './analysis.js';

export const LIMITS: SourceLimits = {
  maxPixels: 35_000_000,
  maxStreams: 64,
  maxDurationSeconds: 3600,
  maxBitRate: 2_000_000_000,
  minBitRate: 0,
  maxFrameRate: 1000,
  probeTimeoutSeconds: 60,
  probeMemoryBytes: 1024 ** 3,
};

/** A file as planning sees it: analysed over HTTP, planned, its runs tried without a server around. */
export async function planned<T>(
  file: string,
  use: (plan: Plan, url: string, dir: string) => Promise<T>,
  change: Partial<PlanOptions> = {},
): Promise<T> {
  const served = await serveFolder(path.dirname(file));
  const dir = await mkdtemp(path.join(tmpdir(), 'sluice-made-'));
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const read = async (start: number, end: number) => {
      const bytes = Buffer.alloc(Math.min(end, size) - start);
      await handle.read(bytes, 0, bytes.length, start);
      return bytes;
    };
    const url = `${served.url}/${path.basename(file)}`;
    const found = await analyzeSource({ size, read }, url, { ffprobePath: 'ffprobe', limits: LIMITS });
    return await use(planJob(found, { ...options, preset: 'ultrafast', ...change }), url, dir);
  } finally {
    await handle.close();
    await served.close();
    await rm(dir, { recursive: true, force: true });
  }
}

/** The lowest rung of a file from its first to its last frame. */
export const encodedLowest = <T>(file: string, use: (made: string, plan: Plan) => Promise<T>): Promise<T> =>
  planned(file, async (plan, source, dir) => {
    const rendition = plan.renditions.filter((one) => one.kind === 'video').at(-1);
    if (!rendition) throw new Error('a plan without pictures');
    const target = path.join(dir, 'made.mp4');
    const outputs = [{ rendition, firstSegment: 0, target }];
    await mustRun(
      'ffmpeg',
      videoRun(plan, { source, seekSeconds: null, endSegment: plan.borders.length - 1, outputs }),
    );
    return use(target, plan);
  });
