import { loadEnvironment } from '#config';
import { type Stack, startStack } from '#testing';
import { type Backing, ENCODE_ONLY, PRODUCTION, startBacking } from '../backing.js';
import { type Figure, lowerIsBetter, median, table } from '../figures.js';
import { runPlain } from '../plain.js';
import { type OverlapRun, planOf, runCopied, runEncoded } from './runs.js';
import { endOfFirst, type Material, materialOf } from './sources.js';

export interface OverlapOptions {
  quick: boolean;
  pairs: number;
  /** Of `LENGTHS`. */
  lengths: number[];
  say: (text: string) => void;
}

/** Minutes of video. */
export const LENGTHS = [1, 5, 20];

const BENCH = 'overlap';
const TARGET = {
  ratio: (minutes: number) => (minutes === 1 ? 0.15 : 0.05),
  playableSeconds: 3,
  copySeconds: 1,
};
/** The upload takes so many times as long as the plain encode. */
const UPLOAD_BY_ENCODE = 1.2;
/** A fit file comes over a line of so many times its bit rate. */
const COPY_PACE = 8;

interface Measured {
  minutes: number;
  plain: number[];
  encoded: OverlapRun[];
  copied: number[];
}

/**
 * How long one waits after the last byte. The usual order is upload, then encode: all of the plain command's
 * time; ours is what is left to do, on an upload that is a little slower than the encode. In turns; a ratio
 * is taken within each pair.
 */
export async function benchOverlap({ quick, pairs, lengths, say }: OverlapOptions): Promise<Figure[]> {
  const measured: Measured[] = [];
  for (const minutes of lengths) {
    say(`${minutes} min: making the sources (once) …`);
    const material = await materialOf(minutes, quick);
    const backing = await startBacking();
    try {
      const stack = await startStack({
        env: {
          ...PRODUCTION,
          ...ENCODE_ONLY,
          REDIS_URL: backing.redisUrl,
          ENCODER_PRESET: material.preset,
        },
      });
      try {
        measured.push(await measure({ stack, backing, material, minutes, pairs, say }));
      } finally {
        await stack.stop();
      }
    } finally {
      await backing.stop();
    }
  }
  say(`\n${summary(measured)}\n`);
  return figuresOf(measured);
}

async function measure(of: {
  stack: Stack;
  backing: Backing;
  material: Material;
  minutes: number;
  pairs: number;
  say: (text: string) => void;
}): Promise<Measured> {
  const { stack, backing, material, minutes, pairs, say } = of;
  const { SEGMENT_SECONDS } = loadEnvironment({
    DATABASE_URL: 'postgres://unused',
    REDIS_URL: 'redis://unused',
    STORAGE_DIR: 'unused',
    INTERNAL_SECRET: 'unused '.repeat(8),
  });
  const result: Measured = { minutes, plain: [], encoded: [], copied: [] };
  const plan = await planOf(stack, material.encoded);
  const firstSegmentEnd = endOfFirst(material.encoded, SEGMENT_SECONDS);
  for (let pair = 0; pair < pairs; pair++) {
    const { wallSeconds } = await runPlain(plan, material.encoded, SEGMENT_SECONDS, backing.dir);
    const throttle = { minutes, seconds: wallSeconds * UPLOAD_BY_ENCODE };
    const run = await runEncoded(stack, material.encoded, throttle, firstSegmentEnd);
    const copied = await runCopied(stack, material.fit, { minutes, seconds: (minutes * 60) / COPY_PACE });
    result.plain.push(wallSeconds);
    result.encoded.push(run);
    result.copied.push(copied);
    say(
      `${minutes} min, pair ${pair + 1} of ${pairs}: plain encode ${wallSeconds.toFixed(1)} s; after the last byte ` +
        `${run.waitSeconds.toFixed(2)} s, copied ${copied.toFixed(2)} s; first playable ${run.playableSeconds.toFixed(2)} s; ended: ${run.ending}`,
    );
  }
  return result;
}

function figuresOf(measured: Measured[]): Figure[] {
  const ratios = measured.map(({ minutes, plain, encoded }) =>
    lowerIsBetter(
      BENCH,
      `wait_ratio_${minutes}m`,
      encoded.map((run, i) => run.waitSeconds / (plain[i] as number)),
      TARGET.ratio(minutes),
    ),
  );
  // Of the shortest, whose ladder is the dearest.
  const first = measured[0]?.encoded.map((run) => run.playableSeconds) ?? [];
  const copies = measured.map(({ minutes, copied }) =>
    lowerIsBetter(BENCH, `copy_last_byte_to_playable_s_${minutes}m`, copied, TARGET.copySeconds),
  );
  return [...ratios, lowerIsBetter(BENCH, 'first_playable_s', first, TARGET.playableSeconds), ...copies];
}

function summary(measured: Measured[]): string {
  return table([
    ['medians, seconds after the last byte', 'usual order', 'the product', 'copied rung'],
    ...measured.map(({ minutes, plain, encoded, copied }) => [
      `${minutes} min`,
      median(plain).toFixed(1),
      median(encoded.map((run) => run.waitSeconds)).toFixed(2),
      median(copied).toFixed(2),
    ]),
  ]);
}
