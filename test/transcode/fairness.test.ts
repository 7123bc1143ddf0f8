import { EventEmitter, once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import type { Environment } from '#config';
import { toQueuePriority } from '#contracts';
import { createLogger } from '#observability';
import { consume } from '#queue';
import { waitFor } from '#testing';
import { enqueueSpans, queuedSpan, SPAN_ENTRY, type SpanEntry } from '#work';
import { Reconciler } from '../../apps/transcode/src/recovery/reconciler.js';
import { AGEING_SECONDS, WorkScene } from './work-scene.js';

let scene: WorkScene;
afterEach(() => scene?.stop());

/** 200 spans, the most that a job may have. */
const TEN_HOURS = 36_000;
const TEN_SECONDS = 10;

/** Runs `count` spans one after the other, as a single worker does; answers with their jobs in that order. */
async function runSpans(count: number, between: (ran: number) => Promise<void> = async () => undefined) {
  const order: string[] = [];
  const errors: unknown[] = [];
  const enough = new EventEmitter();
  const ended = once(enough, 'ended');
  const consumer = consume(
    'span',
    async ({ spanId }) => {
      // What is taken beyond stays in hand, so that nothing else of the line is, and stands there again afterwards.
      if (order.length >= count) {
        await ended;
        return { retryInMs: 1 };
      }
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
    // The last one in hand is given back; left in hand, it would come again.
    const closed = consumer.close(10_000);
    enough.emit('ended');
    await closed;
  }
  expect(errors).toEqual([]);
  return order;
}

/** Behind the first place of the priority. */
const placesOf = async (job: string, priority = 5) =>
  (await scene.queues.queue('span').getPrioritized())
    .filter(({ data }) => data.jobId === job)
    .map((entry) => entry.priority - toQueuePriority(priority));

async function reconcileUntil(what: string, condition: () => Promise<boolean>): Promise<void> {
  const reconciler = new Reconciler(
    { ...scene.environment, RECONCILE_INTERVAL_SECONDS: 0.1 } as Environment,
    createLogger('test', 'silent'),
    scene.dataSource,
    scene.queues,
    scene.places,
  );
  reconciler.start();
  await waitFor(condition, { what }).finally(() => reconciler.stop());
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
    await reconcileUntil('the entries have moved', async () =>
      (await placesOf(jobs[2]!)).every((place) => place < 2000),
    );
    // Behind the place of each round: which of its job's spans it is.
    for (const [i, from] of [100, 102, 1000].entries())
      expect(await placesOf(jobs[i]!)).toEqual([1, 2, 3, 4].map((nth) => from + nth));
  });

  it('followers of a long video have slots of their own', async () => {
    scene = await WorkScene.start(1);
    const follower = (segment_count: number) =>
      queuedSpan({
        ...{
          id: 'a',
          job_id: 'b',
          kind: 'copy',
          position: 0,
          priority: 5,
          turn: 0,
          stride: 1,
          boost: 0,
          opens: false,
        },
        segment_count,
      }).queue;
    expect([follower(3), follower(9000)]).toEqual(['follower', 'long-follower']);
  });
});

describe('S3-12 among tenants', () => {
  it('one with three long videos gets no more of the processors than one with a single one', async () => {
    scene = await WorkScene.start(1000);
    const many: string[] = [];
    for (let i = 0; i < 3; i++) many.push(await scene.planned(TEN_HOURS, { tenant: 'many' }));
    const single = await scene.planned(TEN_HOURS, { tenant: 'single' });
    await runSpans(8);
    // What came while the consumer closed was put off, and a job would lack its next spans.
    await scene.queues.queue('span').promoteJobs();
    await reconcileUntil('the spans of one tenant have made room', async () => {
      const [first = 0, second = 0] = await placesOf(many[0] as string);
      return second - first === 3;
    });
    const order = await runSpans(40);
    const share = (job: string) => order.filter((one) => one === job).length;
    expect(share(single)).toBeGreaterThanOrEqual(18);
    expect(share(single)).toBeLessThanOrEqual(22);
    for (const job of many) expect(share(job)).toBeGreaterThanOrEqual(5);

    // Alone again they have all rounds.
    await scene.end(single, 'failed');
    await reconcileUntil('the spans have moved together', async () => {
      const [first = 0, second = 0] = await placesOf(many[0] as string);
      return second - first === 1;
    });
  });

  it('a job of which no span has begun for long gets one into the more urgent ones, then waits anew', async () => {
    scene = await WorkScene.start(1000);
    const low = await scene.planned(TEN_HOURS, { priority: 3, tenant: 'low' });
    await runSpans(1);
    const urgent = await scene.planned(TEN_HOURS, { priority: 5, tenant: 'urgent' });
    expect(new Set(await runSpans(5))).toEqual(new Set([urgent]));
    await scene.dataSource.query(
      `UPDATE spans SET updated_at = updated_at - $2 * interval '1 second' WHERE job_id = $1`,
      [low, 2 * AGEING_SECONDS],
    );
    await reconcileUntil('it has gained two steps', async () => (await placesOf(low)).includes(1));
    const order = await runSpans(6);
    expect(order[0]).toBe(low);
    expect(new Set(order.slice(1))).toEqual(new Set([urgent]));
  });
});
