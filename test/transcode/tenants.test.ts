import { randomInt } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { dueJobs, jobLine } from '#work';
import { isLongRun } from '../long-run.js';
import { AGEING_SECONDS, WorkScene } from './work-scene.js';

let scene: WorkScene;
afterEach(() => scene?.stop());

const due = async () =>
  ((await scene.dataSource.query(dueJobs(scene.environment))) as { id: string }[]).map(({ id }) => id);

/** As the job's view tells it; null: it is not in the line. */
async function placeOf(id: string): Promise<number | null> {
  const rows = await scene.dataSource.query(
    `SELECT place FROM (${jobLine(scene.environment, '$1')}) AS line WHERE id = ANY ($1)`,
    [[id]],
  );
  return rows[0]?.place ?? null;
}

const older = (id: string, seconds: number) =>
  scene.dataSource.query(`UPDATE jobs SET created_at = created_at - $2 * interval '1 second' WHERE id = $1`, [
    id,
    seconds,
  ]);

/** All of the line, one after the other, each with its place as told just before its turn. */
async function serve(count: number, ends: boolean): Promise<string[]> {
  const order: string[] = [];
  for (let i = 0; i < count; i++) {
    const [next] = await due();
    if (!next) break;
    expect(await placeOf(next)).toBe(1);
    expect(await scene.claim(next)).not.toBeNull();
    order.push(next);
    if (ends) await scene.end(next, 'completed');
  }
  return order;
}

describe('S3-12 within a priority tenants take turns', () => {
  it('one that comes with two videos does not wait for the fifty that another tenant had sent before', async () => {
    scene = await WorkScene.start(1);
    const many: string[] = [];
    for (let i = 0; i < 50; i++) many.push(await scene.job({ tenant: 'many' }));
    expect(await serve(2, true)).toEqual(many.slice(0, 2));
    const few = [await scene.job({ tenant: 'few' }), await scene.job({ tenant: 'few' })];
    const third = await scene.job({ tenant: 'third' });
    expect(await serve(6, true)).toEqual([many[2], few[0], third, many[3], few[1], many[4]]);
  });

  it('places are shared alike, whoever came first', async () => {
    scene = await WorkScene.start(6);
    const many: string[] = [];
    for (let i = 0; i < 8; i++) many.push(await scene.job({ tenant: 'many' }));
    for (const id of many.slice(0, 4)) expect(await scene.claim(id)).not.toBeNull();
    const few = [await scene.job({ tenant: 'few' }), await scene.job({ tenant: 'few' })];
    expect(await due()).toEqual(few);
    expect(await serve(9, false)).toEqual(few);
    await scene.end(many[0]!, 'completed');
    expect(await due()).toEqual([many[4]]);
    const late = await scene.job({ tenant: 'late' });
    expect(await due()).toEqual([late]);
  });

  it('a more urgent video of whichever tenant goes first', async () => {
    scene = await WorkScene.start(1);
    await scene.job({ tenant: 'a' });
    await scene.job({ tenant: 'b' });
    const urgent = [
      await scene.job({ tenant: 'a', priority: 9 }),
      await scene.job({ tenant: 'a', priority: 9 }),
    ];
    expect(await serve(2, true)).toEqual(urgent);
  });
});

describe('S3-12 nothing starves', () => {
  it('waiting counts as priority, for the first of each line, and one turn a wait', async () => {
    scene = await WorkScene.start(1);
    const low = [await scene.job({ priority: 2 }), await scene.job({ priority: 2 })];
    const urgent: string[] = [];
    for (let i = 0; i < 4; i++) urgent.push(await scene.job({ priority: 6 }));
    for (const id of low) await older(id, 4 * AGEING_SECONDS - 60);
    expect(await due()).toEqual([urgent[0]]);
    for (const id of low) await older(id, 61);
    // The second one has waited as long, and stood behind the first.
    expect(await serve(3, true)).toEqual([low[0], urgent[0], urgent[1]]);
    await scene.dataSource.query(
      `UPDATE tenant_turns SET served_at = served_at - $1 * interval '1 second' WHERE priority = 2`,
      [4 * AGEING_SECONDS],
    );
    expect(await due()).toEqual([low[1]]);
  });

  it('a backlog of hours does not grow more urgent than what another tenant sends now', async () => {
    scene = await WorkScene.start(1);
    const backlog: string[] = [];
    for (let i = 0; i < 5; i++) backlog.push(await scene.job({ tenant: 'many' }));
    for (const id of backlog) await older(id, 20_000);
    expect(await serve(1, true)).toEqual([backlog[0]]);
    const fresh = await scene.job({ tenant: 'few' });
    expect(await serve(3, true)).toEqual([backlog[1], fresh, backlog[2]]);
  });
});

describe('S1-02 place_in_line', () => {
  it('is the order in which jobs begin, for any mixture of tenants and priorities', async () => {
    const seed = Number(process.env.LINE_SEED ?? randomInt(1_000_000));
    console.info(`LINE_SEED=${seed}`);
    let state = seed;
    const pick = (below: number) => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((state / 2_147_483_648) * below);
    };
    scene = await WorkScene.start(3);
    const jobs: string[] = [];
    for (let i = 0; i < 40; i++) {
      const job = await scene.job({ tenant: `t${pick(4)}`, priority: 4 + pick(3) });
      if (pick(3) === 0) await older(job, pick(3 * AGEING_SECONDS));
      jobs.push(job);
    }
    for (const id of await due()) expect(await scene.claim(id)).not.toBeNull();
    const waiting = [];
    for (const id of jobs) waiting.push({ id, place: await placeOf(id) });
    const told = waiting
      .filter(({ place }) => place !== null)
      .sort((a, b) => Number(a.place) - Number(b.place));
    expect(told.map(({ place }) => place)).toEqual(Array.from({ length: 37 }, (_, i) => i + 1));
    scene.environment.PROCESSING_MAX_CONCURRENT_JOBS = 1000;
    const order = await due();
    expect(order).toEqual(told.map(({ id }) => id));
  });
});

describe('a line of very many', () => {
  const WAITING = isLongRun ? 200_000 : 20_000;

  it(`claiming and telling a place read some rows of ${WAITING}, by the index of the line`, async () => {
    scene = await WorkScene.start(5);
    const first = await scene.job({ tenant: 'few', priority: 10 });
    await scene.dataSource.query(
      `WITH rows AS (SELECT gen_random_uuid() AS id, gen_random_uuid() AS asset, n FROM generate_series(1, $1::integer) AS n),
         assets AS (INSERT INTO assets (id, tenant_id, profile) SELECT asset, 'many', 'default' FROM rows RETURNING id)
       INSERT INTO jobs (id, tenant_id, asset_id, priority, source_complete, created_at)
       SELECT id, 'many' || n % 20, asset, 1 + n % 10, true, now() - n * interval '1 millisecond' FROM rows`,
      [WAITING],
    );
    await scene.dataSource.query('ANALYZE jobs');
    const buffersOf = async (sql: string) => {
      const [{ 'QUERY PLAN': plan }] = (await scene.dataSource.query(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${sql}`,
      )) as [{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }];
      expect(JSON.stringify(plan)).toContain('jobs_line');
      return Number(plan[0].Plan['Shared Hit Blocks']) + Number(plan[0].Plan['Shared Read Blocks']);
    };
    // 200 lanes, each found and read at its head; a scan of all rows takes 100 times as many.
    expect(await buffersOf(dueJobs(scene.environment))).toBeLessThan(10_000);
    const [head] = (await scene.dataSource.query(
      'SELECT id FROM jobs WHERE priority = 10 AND tenant_id <> $1 ORDER BY created_at LIMIT 1',
      ['few'],
    )) as [{ id: string }];
    for (const id of [first, head.id]) {
      const view = `SELECT place FROM (${jobLine(scene.environment, `ARRAY['${id}']::uuid[]`)}) AS line WHERE id = '${id}'`;
      expect(await buffersOf(view)).toBeLessThan(10_000);
    }
    expect((await due()).length).toBe(5);
  }, 120_000);
});
