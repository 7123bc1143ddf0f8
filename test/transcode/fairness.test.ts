import { afterEach, describe, expect, it } from 'vitest';
import type { Environment } from '#config';
import { toQueuePriority } from '#contracts';
import { createLogger } from '#observability';
import { consume } from '#queue';
import { waitFor } from '#testing';
import { enqueueSpans, queuedSpan, SPAN_ENTRY, type SpanEntry } from '#work';
import { Reconciler } from '../../apps/transcode/src/recovery/reconciler.js';
import { WorkScene } from './work-scene.js';

let scene: WorkScene;
afterEach(() => scene?.stop());

/** 200 spans, the most that a job may have. */
const TEN_HOURS = 36_000;
const TEN_SECONDS = 10;

/** Runs `count` spans one after the other, as a single worker does; answers with their jobs in that order. */
async function runSpans(count: number, between: (ran: number) => Promise<void> = async () => undefined) {
  const order: string[] = [];
  const errors: unknown[] = [];
  const consumer = consume(
    'span',
    async ({ spanId }) => {
      if (order.length >= count) return { retryInMs: 60_000 };
      const claim = await scene.spans.claim(spanId, 'w1', 60);
      if (claim.kind !== 'claimed') throw new Error(`a span that is ${claim.kind} was queued`);
      order.push(claim.span.jobId);
      await scene.finish(spanId);
      const next = await scene.dataSource.query<SpanEntry[]>(
        `SELECT ${SPAN_ENTRY} FROM spans JOIN jobs ON jobs.id = spans.job_id
         WHERE spans.job_id = $1 AND spans.status = 'pending' AND (spans.params ->> 'waitsFor')::integer = $2`,
        [claim.span.jobId, claim.span.position],
      );
      await enqueueSpans(scene.queues, next.map(queuedSpan));
      await between(order.length);
      return undefined;
    },
    {
      redisUrl: scene.redisUrl,
      name: 'test',
      concurrency: 1,
      lockSeconds: 30,
      onError: (e) => errors.push(e),
    },
  );
  try {
    await waitFor(() => order.length >= count || errors.length > 0, { what: `${count} spans to be run` });
  } finally {
    await consumer.close(0);
  }
  expect(errors).toEqual([]);
  return order;
}

describe('among jobs of the same priority', () => {
  it('a ten-hour video holds no ten-second one up, and is not starved by a stream of them', async () => {
    scene = await WorkScene.start(1000);
    const long = await scene.planned(TEN_HOURS);
    const short: string[] = [];
    const ended = new Map<string, number>();
    const came = new Map<string, number>();
    // From the tenth span on a new short one, of two spans, comes with every third: two thirds of what a worker can do.
    const order = await runSpans(150, async (ran) => {
      if (ran < 10 || ran % 3 > 0) return;
      const job = await scene.planned(TEN_SECONDS);
      short.push(job);
      came.set(job, ran);
    });
    for (const [i, job] of order.entries()) ended.set(job, i + 1);
    const waits = short.slice(0, -3).map((job) => (ended.get(job) ?? 1000) - (came.get(job) as number));
    // Its start span, its one other span, and what stood in the rounds before.
    expect(Math.max(...waits)).toBeLessThanOrEqual(8);
    const late = order.slice(30);
    expect(late.filter((job) => job === long).length).toBeGreaterThan(late.length / 4);
  });

  it('two long ones share alike, and what makes a stream playable comes before hundreds of spans', async () => {
    scene = await WorkScene.start(1000);
    const [a, b] = [await scene.planned(TEN_HOURS), await scene.planned(TEN_HOURS)];
    await runSpans(40);
    const c = await scene.planned(TEN_HOURS);
    const order = await runSpans(60);
    expect(order[0]).toBe(c);
    const share = (job: string) => order.filter((one) => one === job).length;
    for (const job of [a, b, c]) expect(share(job)).toBeGreaterThan(60 / 5);
  });

  it('S3-12 work of a higher priority overtakes hundreds of waiting spans at the next free slot', async () => {
    scene = await WorkScene.start(1000);
    await scene.planned(TEN_HOURS);
    await runSpans(5);
    const urgent = await scene.planned(60, { priority: 10 });
    const order = await runSpans(4);
    expect(new Set(order)).toEqual(new Set([urgent]));
  });

  it('rounds are numbered anew before they exceed what the queue can tell apart, and the order stays', async () => {
    scene = await WorkScene.start(1000);
    const jobs = [await scene.planned(60), await scene.planned(60), await scene.planned(60)];
    const turns = [149_000, 149_002, 149_900];
    for (const [i, job] of jobs.entries())
      await scene.dataSource.query('UPDATE jobs SET turn = $2 WHERE id = $1', [job, turns[i]]);
    await scene.dataSource.query(`UPDATE spans SET params = params || '{"waitsFor": null}'`);
    const due = await scene.dataSource.query<SpanEntry[]>(
      `SELECT ${SPAN_ENTRY} FROM spans JOIN jobs ON jobs.id = spans.job_id`,
    );
    await enqueueSpans(scene.queues, due.map(queuedSpan));
    const placesOf = async (job: string) =>
      (await scene.queues.queue('span').getPrioritized())
        .filter(({ data }) => data.jobId === job)
        .map(({ priority }) => priority - toQueuePriority(5));
    const reconciler = new Reconciler(
      { RECONCILE_INTERVAL_SECONDS: 0.1, SCAN_MODE: 'off' } as Environment,
      createLogger('test', 'silent'),
      scene.dataSource,
      scene.queues,
      scene.places,
    );
    reconciler.start();
    try {
      await waitFor(async () => (await placesOf(jobs[2]!)).every((place) => place < 2000), {
        what: 'the entries to have moved',
      });
      // Behind the place of each round: which of its job's spans it is.
      for (const [i, from] of [100, 102, 1000].entries())
        expect(await placesOf(jobs[i]!)).toEqual([1, 2, 3, 4].map((nth) => from + nth));
    } finally {
      reconciler.stop();
    }
  });

  it('followers of a long video have slots of their own', async () => {
    scene = await WorkScene.start(1);
    const follower = (segment_count: number) =>
      queuedSpan({
        ...{ id: 'a', job_id: 'b', kind: 'copy', position: 0, priority: 5, turn: 0, opens: false },
        segment_count,
      }).queue;
    expect([follower(3), follower(9000)]).toEqual(['follower', 'long-follower']);
  });
});
