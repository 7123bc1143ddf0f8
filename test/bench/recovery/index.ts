import { startStack } from '#testing';
import { type Backing, PRODUCTION, startBacking } from '../backing.js';
import { type Figure, lowerIsBetter } from '../figures.js';
import { type SourceSize, sourceFile } from '../source.js';
import { flushRedis, stopRedisFor } from './redis.js';
import { killEncoder } from './takeover.js';

const BENCH = 'recovery';
const TARGET = { takeover: 15, segments: 11, resume: 2, rebuild: 60 };
/** Seconds without Redis, longer than every lock. */
const AWAY_SECONDS = 20;
const FULL: SourceSize = { width: 1280, height: 720, seconds: 60 };
const QUICK: SourceSize = { width: 640, height: 360, seconds: 24 };

export interface RecoveryOptions {
  quick: boolean;
  rounds: number;
  say: (text: string) => void;
}

/** How long the engine stands still, and what it makes twice, when a part of it dies. Locks and leases are production's. */
export async function benchRecovery({ quick, rounds, say }: RecoveryOptions): Promise<Figure[]> {
  say('Making the source (once) …');
  const file = await sourceFile(quick ? QUICK : FULL, null);
  const takeovers: number[] = [];
  const remade: number[] = [];
  const resumes: number[] = [];
  const rebuilds: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    await withStack(async (stack, backing) => {
      const tell = (text: string) => say(`round ${round} of ${rounds}: ${text}`);
      const killed = await killEncoder(stack, file);
      takeovers.push(killed.seconds);
      remade.push(killed.segments);
      tell(
        `taken over in ${killed.seconds.toFixed(2)} s, ${killed.segments.toFixed(2)} segments a rendition again`,
      );
      resumes.push(await stopRedisFor(stack, backing, file, AWAY_SECONDS));
      tell(`on ${resumes.at(-1)?.toFixed(2)} s after Redis was back`);
      rebuilds.push(await flushRedis(stack, file));
      tell(`queue back in ${rebuilds.at(-1)?.toFixed(2)} s`);
    });
  }
  return [
    lowerIsBetter(BENCH, 'takeover_s', takeovers, TARGET.takeover),
    lowerIsBetter(BENCH, 'segments_reencoded', remade, TARGET.segments),
    lowerIsBetter(BENCH, 'resume_s', resumes, TARGET.resume),
    lowerIsBetter(BENCH, 'rebuild_s', rebuilds, TARGET.rebuild),
  ];
}

export type BenchStack = Awaited<ReturnType<typeof startStack>>;

async function withStack(work: (stack: BenchStack, backing: Backing) => Promise<void>): Promise<void> {
  const backing = await startBacking();
  try {
    const stack = await startStack({
      env: { ...PRODUCTION, REDIS_URL: backing.redisUrl },
      services: { transcode: 2 },
    });
    await work(stack, backing).finally(() => stack.stop());
  } finally {
    await backing.stop();
  }
}
