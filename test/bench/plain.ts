import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { audioRun, type Plan, videoRun } from '#media';
import { cpuSecondsOfEndedChildren } from './cpu.js';
import { runProgram } from './run-program.js';

/** Muxer options of one rendition as anyone would write them: HLS with fMP4 segments, cut at the forced key frames. */
const hls = (folder: string, segmentSeconds: number) => [
  ...['-f', 'hls', '-hls_time', String(segmentSeconds), '-hls_playlist_type', 'vod'],
  ...['-hls_segment_type', 'fmp4', '-hls_flags', 'independent_segments'],
  ...['-hls_segment_filename', path.join(folder, 'seg_%04d.m4s'), path.join(folder, 'index.m3u8')],
];

/** Replaces what stands between the encoder's options and the output, the muxer's options and the target included. */
function withMuxer(args: string[], target: string, muxer: string[]): string[] {
  const end = args.indexOf(target);
  const begin = args.lastIndexOf('-movflags', end);
  if (end < 0 || begin < 0) throw new Error(`no output ${target} in ${args.join(' ')}`);
  return [...args.slice(0, begin), ...muxer, ...args.slice(end + 1)];
}

/**
 * One ffmpeg that makes the same renditions as `plan` in one go. It is derived from the command lines
 * that the product builds, so that ladder, filters, rates, preset, threads and key frames cannot drift.
 */
export function plainCommand(plan: Plan, source: string, folder: string, segmentSeconds: number): string[] {
  const videos = plan.renditions.filter((rendition) => rendition.kind === 'video');
  const target = (name: string) => path.join(folder, name);
  let args = videoRun(plan, {
    source,
    seekSeconds: null,
    endSegment: plan.borders.length - 1,
    outputs: videos.map((rendition) => ({ rendition, firstSegment: 0, target: target(rendition.name) })),
  });
  for (const { name } of videos) args = withMuxer(args, target(name), hls(target(name), segmentSeconds));
  if (plan.audio) {
    const audio = audioRun(plan, source, target('audio'));
    const outputs = audio.slice(audio.indexOf(source) + 1);
    args.push(...withMuxer(outputs, target('audio'), hls(target('audio'), segmentSeconds)));
  }
  // The product reads its source over HTTP, this one reads the file.
  const protocols = args.indexOf('-protocol_whitelist') + 1;
  args[protocols] = 'file';
  return args;
}

export interface Cost {
  wallSeconds: number;
  cpuSeconds: number;
}

export async function runPlain(
  plan: Plan,
  source: string,
  segmentSeconds: number,
  under: string,
): Promise<Cost> {
  const folder = await mkdtemp(path.join(under, 'plain-'));
  try {
    for (const { name } of plan.renditions) await mkdir(path.join(folder, name));
    const args = plainCommand(plan, source, folder, segmentSeconds);
    const cpuBefore = cpuSecondsOfEndedChildren();
    const begun = performance.now();
    await runProgram('ffmpeg', args);
    return {
      wallSeconds: (performance.now() - begun) / 1000,
      cpuSeconds: cpuSecondsOfEndedChildren() - cpuBefore,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
