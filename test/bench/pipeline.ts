import { loadEnvironment } from '#config';
import { type EngineRun, startEngine } from './engine.js';
import { type Figure, higherIsBetter, lowerIsBetter, median, table } from './figures.js';
import { type Cost, runPlain } from './plain.js';
import { FULL, QUICK, sourceFile } from './source.js';

export interface PipelineOptions {
  quick: boolean;
  pairs: number;
  /** A video to measure with instead of generated pictures. */
  source: string | null;
  say: (text: string) => void;
}

const BENCH = 'pipeline';
const TARGET = { wall: 1.08, cpu: 1.1, playableSeconds: 3, copiedSpeedUp: 1.2 };
/** A web video of 1080p. */
const FIT_RATE = { quick: 600_000, full: 3_500_000 };

interface Pair {
  plain: Cost;
  product: EngineRun;
  /** Of a source that is fit to be served: the plain command encodes the top rung, the product copies it. */
  fit: { plain: Cost; product: EngineRun };
}

/**
 * The same renditions of the same file, by one plain ffmpeg and by the whole product, in turns. Ratios
 * are taken within each pair, so that a machine that changes its pace changes both sides.
 */
export async function benchPipeline({ quick, pairs, source, say }: PipelineOptions): Promise<Figure[]> {
  say('Making the source (once) …');
  const size = quick ? QUICK : FULL;
  const file = await sourceFile(size, source);
  const fitFile = await sourceFile({ ...size, fitRate: quick ? FIT_RATE.quick : FIT_RATE.full }, source);
  say('Starting the services …');
  const engine = await startEngine();
  const runs: Pair[] = [];
  try {
    const { SEGMENT_SECONDS } = loadEnvironment({
      DATABASE_URL: 'postgres://unused',
      REDIS_URL: 'redis://unused',
      STORAGE_DIR: 'unused',
      INTERNAL_SECRET: 'unused '.repeat(8),
    });
    let plan: EngineRun['plan'] | null = null;
    for (let pair = 0; pair < pairs; pair++) {
      // The first plan comes from the product; then the side that begins changes with each pair.
      const early: Cost | null =
        plan && pair % 2 === 1 ? await runPlain(plan, file, SEGMENT_SECONDS, engine.dir) : null;
      const product = await engine.run(file);
      plan = product.plan;
      const plain = early ?? (await runPlain(plan, file, SEGMENT_SECONDS, engine.dir));
      const fit = {
        product: await engine.run(fitFile),
        plain: await runPlain(plan, fitFile, SEGMENT_SECONDS, engine.dir),
      };
      runs.push({ plain, product, fit });
      say(
        `pair ${pair + 1} of ${pairs}: ffmpeg ${inSeconds(plain)}, product ${inSeconds(product)}; ` +
          `of a fit source ${inSeconds(fit.plain)} and, its top rung copied, ${inSeconds(fit.product)}`,
      );
    }
  } finally {
    await engine.stop();
  }
  say(`\n${summary(runs)}\n`);
  return [
    lowerIsBetter(
      BENCH,
      'wall_ratio',
      runs.map(({ plain, product }) => product.wallSeconds / plain.wallSeconds),
      TARGET.wall,
    ),
    lowerIsBetter(
      BENCH,
      'cpu_ratio',
      runs.map(({ plain, product }) => product.cpuSeconds / plain.cpuSeconds),
      TARGET.cpu,
    ),
    lowerIsBetter(
      BENCH,
      'first_playable_s',
      runs.map(({ product }) => product.playableSeconds),
      TARGET.playableSeconds,
    ),
    higherIsBetter(
      BENCH,
      'copied_speed_up',
      runs.map(({ fit }) => fit.plain.wallSeconds / fit.product.wallSeconds),
      TARGET.copiedSpeedUp,
    ),
  ];
}

const inSeconds = ({ wallSeconds, cpuSeconds }: Cost) =>
  `${wallSeconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s CPU)`;

function summary(runs: Pair[]): string {
  const row = (name: string, side: (run: Pair) => Cost) => [
    name,
    median(runs.map((run) => side(run).wallSeconds)).toFixed(2),
    median(runs.map((run) => side(run).cpuSeconds)).toFixed(2),
  ];
  return table([
    ['median of the runs', 'wall s', 'CPU s'],
    row('one plain ffmpeg', (run) => run.plain),
    row('the product', (run) => run.product),
    row('a fit source: one plain ffmpeg', (run) => run.fit.plain),
    row('a fit source: the product copies', (run) => run.fit.product),
  ]);
}
