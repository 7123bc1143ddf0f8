import { SluiceClient } from '#client';
import { fileSource } from '#client/node';
import { SERVICES } from '#contracts';
import type { Plan } from '#media';
import { type Stack, startStack, waitFor } from '#testing';
import { PRODUCTION, startBacking } from '../backing.js';
import { cpuSecondsOf } from '../cpu.js';
import { type Figure, higherIsBetter, lowerIsBetter, table } from '../figures.js';
import { sourceFile } from '../source.js';
import { lineThrough, type SpanCost, speedUp } from './simulate.js';

export interface ScaleOptions {
  quick: boolean;
  say: (text: string) => void;
}

const BENCH = 'scale';
const SOURCE = {
  full: { width: 1280, height: 720, seconds: 58 },
  quick: { width: 640, height: 360, seconds: 22 },
};
const PROCESSES = 4;
/** Each process has one encoder with one thread; spans of two segments and, at the end, of one. */
const SINGLE = {
  ENCODER_THREADS: '1',
  SPAN_CONCURRENCY: '1',
  SPAN_SECONDS: '8',
  SCAN_MODE: 'off',
  POSTER: 'false',
  STORYBOARD_TILES: '0',
  QUALITY_SAMPLES: '0',
};
const TARGET = { cpuOverhead: 1.1, speedUp: 1.5 };
const LONGEST_JOB_MS = 10 * 60_000;
const PAPER = { minutes: [2, 20, 120, 600], workers: [10, 30, 100, 200, 300, 1000] };

interface Run {
  processes: number;
  cpuSeconds: number;
  wallSeconds: number;
  job: string;
}

/** One video over 1, 2, 3 and 4 transcode processes; from the spans of the first run, on paper, over up to 1,000. */
export async function benchScale({ quick, say }: ScaleOptions): Promise<Figure[]> {
  say('Making the source (once) …');
  const file = await sourceFile(quick ? SOURCE.quick : SOURCE.full, null);
  const backing = await startBacking();
  try {
    const stack = await startStack({
      env: { ...PRODUCTION, ...SINGLE, REDIS_URL: backing.redisUrl },
      services: { transcode: PROCESSES },
    });
    try {
      const runs: Run[] = [];
      for (let processes = PROCESSES; processes >= 1; processes--) {
        if (processes < PROCESSES) await stack.kill('transcode', 'SIGTERM', processes);
        const run = await runJob(stack, backing.pids, processes, file);
        runs.unshift(run);
        say(`${processes} processes: ${run.wallSeconds.toFixed(1)} s, ${run.cpuSeconds.toFixed(1)} s of CPU`);
      }
      const cost = await costOf(stack, runs[0] as Run);
      say(`\n${measured(runs)}\n\n${onPaper(cost)}\n`);
      const of = (processes: number) => runs[processes - 1] as Run;
      return [
        lowerIsBetter(BENCH, 'cpu_overhead_2', [of(2).cpuSeconds / of(1).cpuSeconds], TARGET.cpuOverhead),
        higherIsBetter(BENCH, 'speed_up_2', [of(1).wallSeconds / of(2).wallSeconds], TARGET.speedUp),
      ];
    } finally {
      await stack.stop();
    }
  } finally {
    await backing.stop();
  }
}

/** CPU of all services and of Redis and Postgres, the upload included; wall from the last byte. */
async function runJob(stack: Stack, backing: number[], processes: number, file: string): Promise<Run> {
  const pids = SERVICES.flatMap((name) => stack.processes[name].map(({ process }) => process.pid));
  const roots = [...backing, ...pids];
  const before = cpuSecondsOf(roots);
  const client = new SluiceClient({ uploadUrl: stack.urls.upload });
  const { job_id: job } = await client.upload(await fileSource(file), { order: 'sequential' });
  const ended = await waitFor(
    async () => {
      const rows = await stack.query(
        `SELECT j.status, j.error_message, EXTRACT(EPOCH FROM j.completed_at - s.completed_at)::float8 AS wall
         FROM jobs j JOIN upload_sessions s ON s.job_id = j.id
         WHERE j.id = $1 AND j.status IN ('completed', 'failed')`,
        [job],
      );
      return rows[0];
    },
    { what: `job ${job} to end`, timeoutMs: LONGEST_JOB_MS, intervalMs: 250 },
  );
  if (ended.status !== 'completed') throw new Error(`the job failed: ${ended.error_message}`);
  const cpuSeconds = cpuSecondsOf(roots) - before;
  return { processes, cpuSeconds, wallSeconds: Number(ended.wall), job: String(job) };
}

/** From the run of one process, whose spans ended one after the other. */
async function costOf(stack: Stack, { job }: Run): Promise<SpanCost> {
  const [row] = await stack.query('SELECT plan FROM jobs WHERE id = $1', [job]);
  if (!row) throw new Error(`no job ${job}`);
  const { grid, borders } = row.plan as Plan;
  const spans = (await stack.query(
    `SELECT kind, first_segment AS first, segment_count AS count, params -> 'waitsFor' <> 'null' AS waits,
       EXTRACT(EPOCH FROM updated_at)::float8 AS ended,
       EXTRACT(EPOCH FROM (SELECT created_at FROM progress_events e
         WHERE e.job_id = $1 AND e.type = 'processing_initiated'))::float8 AS planned
     FROM spans WHERE job_id = $1 ORDER BY updated_at`,
    [job],
  )) as { kind: string; first: number; count: number; waits: boolean; ended: number; planned: number }[];
  const secondsOf = (first: number, count: number) =>
    (((borders[first + count] as number) - (borders[first] as number)) * grid.fps.den) / grid.fps.num;
  const start = spans.find((span) => span.kind === 'video' && !span.waits);
  const audio = spans.findLast((span) => span.kind === 'audio');
  const planned = spans[0]?.planned ?? 0;
  const begun = start?.ended ?? planned;
  let last = begun;
  const timed: { length: number; seconds: number }[] = [];
  for (const span of spans) {
    if (span.kind !== 'video' || span === start) continue;
    timed.push({ length: secondsOf(span.first, span.count), seconds: span.ended - last });
    last = span.ended;
  }
  return {
    ...lineThrough(timed),
    start: begun - planned,
    audioPerSecond: audio ? (audio.ended - begun) / secondsOf(audio.first, audio.count) : 0,
  };
}

const measured = (runs: Run[]) =>
  table([
    ['processes', 'wall s', 'faster', 'CPU s', 'of one'],
    ...runs.map(({ processes, wallSeconds, cpuSeconds }) => [
      String(processes),
      wallSeconds.toFixed(1),
      ((runs[0]?.wallSeconds ?? 0) / wallSeconds).toFixed(2),
      cpuSeconds.toFixed(1),
      (cpuSeconds / (runs[0]?.cpuSeconds ?? 1)).toFixed(2),
    ]),
  ]);

function onPaper(cost: SpanCost): string {
  const { fixed, perSecond, start, audioPerSecond } = cost;
  const basis = `a span: ${fixed.toFixed(2)} s + ${perSecond.toFixed(3)} s for each second of video; the start span ${start.toFixed(1)} s; the audio ${audioPerSecond.toFixed(4)} s for each second`;
  const rows = PAPER.minutes.map((minutes) => [
    `${minutes} min`,
    ...PAPER.workers.map((workers) => speedUp(minutes * 60, workers, cost).toFixed(0)),
  ]);
  return `On paper, times faster than one worker\n${basis}\n${table([['video', ...PAPER.workers.map(String)], ...rows])}`;
}
