import { createHash } from 'node:crypto';
import type { Plan, PlannedRendition } from '../plan/plan.js';
import { audioTrack } from './command.js';
import { encodingOptions } from './encoders.js';
import { runTool } from './supervised.js';

/** First line of `ffmpeg -version`: another build may give other bits. */
export async function ffmpegVersion(ffmpegPath: string): Promise<string> {
  let version = '';
  await runTool(ffmpegPath, ['-hide_banner', '-version'], {
    limitMs: 10_000,
    onLine: (line) => {
      version ||= line;
    },
  });
  return version;
}

/** Segments of two encodes may stand in one rendition only when this is equal. */
export function encoderFingerprint(version: string, plan: Plan, rendition: PlannedRendition): string {
  const parameters =
    rendition.mode === 'copy'
      ? ['copy']
      : rendition.kind === 'audio'
        ? ['aac', JSON.stringify(audioTrack(plan, rendition.name))]
        : [
            ...encodingOptions(plan.encoder, rendition, plan.video.color),
            `${rendition.width}x${rendition.height}`,
            JSON.stringify([plan.grid, plan.video.deinterlace, plan.video.color ?? null]),
          ];
  return createHash('sha256')
    .update([version, ...parameters].join('\n'))
    .digest('hex');
}
