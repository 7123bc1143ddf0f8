import { execFileSync } from 'node:child_process';
import { QUICK, type SourceSize, sourceFile } from '../source.js';

export interface Material {
  /** No rung of it can be copied. */
  encoded: string;
  /** Its top rung is copied. */
  fit: string;
  preset: string;
}

const LARGE = { width: 1920, height: 1080, fitRate: 3_500_000 };
const SMALL = { width: 640, height: 360, fitRate: 600_000 };

/**
 * A minute in 1080p with the ladder and preset of production. Longer ones, and quick runs, are small and
 * cheap to encode, so that a round ends in minutes; they repeat a short clip, drawing more would take longer.
 */
export async function materialOf(minutes: number, quick: boolean): Promise<Material> {
  const cheap = quick || minutes > 1;
  const { fitRate, ...picture } = cheap ? SMALL : LARGE;
  const size: SourceSize = { ...picture, seconds: minutes * 60 };
  const loop = cheap ? await sourceFile(QUICK, null) : null;
  return {
    encoded: await sourceFile(size, loop),
    fit: await sourceFile({ ...size, fitRate }, loop),
    preset: cheap ? 'ultrafast' : 'veryfast',
  };
}

/** Where the packets of the first `seconds` end, in bytes of the file. */
export function endOfFirst(file: string, seconds: number): number {
  const listed = execFileSync(
    'ffprobe',
    [
      ...['-v', 'error', '-read_intervals', `%+${seconds}`],
      ...['-show_entries', 'packet=pts_time,pos,size', '-of', 'json', file],
    ],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  const { packets } = JSON.parse(listed) as { packets: { pts_time: string; pos: string; size: string }[] };
  const ends = packets
    .filter((packet) => Number(packet.pts_time) < seconds)
    .map((packet) => Number(packet.pos) + Number(packet.size));
  return Math.max(...ends);
}
