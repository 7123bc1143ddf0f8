import { createHash } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runProgram } from './run-program.js';

export interface SourceSize {
  width: number;
  height: number;
  seconds: number;
  /** Bits per second: fit to be copied, with closed GOPs of two seconds; without it no rung is copied. */
  fitRate?: number;
}

export const FULL: SourceSize = { width: 1920, height: 1080, seconds: 120 };
export const QUICK: SourceSize = { width: 640, height: 360, seconds: 24 };

const RATE = 30;
/** Longer than the 6 s up to which a source may be copied. */
const GOP_SECONDS = 10;
const FIT_GOP_SECONDS = 2;

interface Picture {
  input: string[];
  filter: string[];
}

/**
 * A picture that is neither easy nor noise: a fractal that is zoomed into, a test pattern that moves
 * over it, and the grain of a camera. Drawn small, because drawing it takes longer than encoding it.
 */
function generated({ width, height, seconds }: SourceSize): Picture {
  const drawn = `${Math.round(width / 4) * 2}x${Math.round(height / 4) * 2}`;
  const graph = [
    `mandelbrot=s=${drawn}:r=${RATE}:end_pts=${seconds * RATE}:maxiter=500[fractal]`,
    `testsrc2=s=320x180:r=${RATE}[pattern]`,
    `[fractal]scale=${width}:${height}[large]`,
    `[large][pattern]overlay=x='mod(t*60,W-w)':y='(H-h)/2*(1+sin(t/3))',noise=alls=3:allf=t,format=yuv420p`,
  ].join(';');
  return { input: ['-f', 'lavfi', '-i', graph], filter: [] };
}

function given(file: string, { width, height }: SourceSize): Picture {
  const fill = `scale=${width}:${height}:force_original_aspect_ratio=increase,crop=${width}:${height}`;
  return {
    input: ['-stream_loop', '-1', '-i', file],
    filter: ['-vf', `${fill},setsar=1,fps=${RATE},format=yuv420p`],
  };
}

/** The file to measure with, made once: of generated pictures, or of a given video over and over. */
export async function sourceFile(size: SourceSize, from: string | null): Promise<string> {
  const picture = from ? given(from, size) : generated(size);
  const { fitRate } = size;
  const args = [
    ...['-nostdin', '-y', '-v', 'error', ...picture.input],
    ...['-f', 'lavfi', '-i', 'anoisesrc=r=48000:a=0.1:color=pink:seed=1', '-map', '0:v', '-map', '1:a'],
    ...picture.filter,
    ...['-t', String(size.seconds), '-c:v', 'libx264', '-preset', 'superfast', '-crf', '22', '-bf', '2'],
    ...(fitRate ? ['-maxrate', `${fitRate}`, '-bufsize', `${fitRate}`] : []),
    ...['-g', String(RATE * (fitRate ? FIT_GOP_SECONDS : GOP_SECONDS)), '-sc_threshold', '0'],
    ...['-c:a', 'aac', '-b:a', '128k'],
    ...['-movflags', '+faststart'],
  ];
  const key = createHash('sha256').update(args.join('\n')).digest('hex').slice(0, 12);
  const folder = path.join(tmpdir(), `sluice-bench-${process.getuid?.() ?? 'user'}`);
  const target = path.join(folder, `${key}.mp4`);
  if (existsSync(target)) return target;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const unfinished = path.join(folder, `${key}-${process.pid}.mp4`);
  try {
    await runProgram('ffmpeg', [...args, unfinished]);
    await rename(unfinished, target);
  } finally {
    await rm(unfinished, { force: true });
  }
  return target;
}
