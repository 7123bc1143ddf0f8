import { readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '#testing';
import { isLongRun } from '../long-run.js';
import { type Door, MAX_CHUNK, MAX_FILE, planOf } from './property/plan.js';
import { Random, seedOfThisRun } from './property/random.js';
import { type Case, type Client, run } from './property/run.js';
import { rubbish, takePicture, verify } from './property/verify.js';
import { startUploads, type UploadStack } from './support.js';

const MANY = isLongRun ? 6 : 1;

const seed = seedOfThisRun();
/** One case of a run that failed. */
const only = process.env.SLUICE_TEST_CASE;
const AT_ONCE = 16;
const KILLS = 2;

let stack: UploadStack;

beforeAll(async () => {
  console.log(`SLUICE_TEST_SEED=${seed}`);
  stack = await startUploads(2, {
    UPLOAD_MAX_CHUNK_SIZE: String(MAX_CHUNK),
    UPLOAD_MAX_FILE_SIZE: String(MAX_FILE),
    SWEEP_INTERVAL_SECONDS: '0.3',
  });
});
afterAll(() => stack?.stop());

const client = (): Client => ({ uploads: stack.uploads, kills: false, back: async () => {}, requests: 0 });

/** Two cases of one name would send the same file, and the second would only hear that it is known. */
const FIRST_WITH_KILLS = 1000;

/** Cases by their number until `enough` of them have begun. */
async function runUntil(
  enough: (begun: number) => boolean,
  doorOf: (number: number) => Door,
  to: Client,
  first = 0,
): Promise<Case[]> {
  const cases: Case[] = [];
  let begun = 0;
  const worker = async () => {
    while (!enough(begun)) {
      const number = first + begun++;
      cases.push(await run(planOf(seed, number, doorOf(number)), to));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return cases;
}

async function runAll(count: number, door: Door): Promise<Case[]> {
  if (only === undefined)
    return runUntil(
      (begun) => begun >= count,
      () => door,
      client(),
    );
  return [await run(planOf(seed, Number(only), door), client())];
}

const report = ({ plan, log, problems }: Case) =>
  [
    `SLUICE_TEST_SEED=${seed} SLUICE_TEST_CASE=${plan.name.split('-')[1]}: ${problems.join('; ')}`,
    JSON.stringify({ ...plan, steps: plan.steps.length }),
    ...log,
  ].join('\n');

async function expectSound(cases: Case[]): Promise<void> {
  const digests = async () => {
    const rows = await stack.query(
      `SELECT 1 FROM upload_sessions WHERE status = 'completed' AND sha256 IS NULL LIMIT 1`,
    );
    return rows.length === 0;
  };
  await waitFor(digests, { what: 'the digests in the background' });
  const picture = await takePicture(stack);
  for (const seen of cases) await verify(stack, picture, seen);
  const failed = cases.filter((seen) => seen.problems.length > 0);
  expect(failed.length, failed.slice(0, 3).map(report).join('\n\n')).toBe(0);
  const ended = (status: string) => cases.filter((seen) => seen.status === status).length;
  const ends = ['completed', 'cancelled', 'failed', 'active'].map((status) => `${ended(status)} ${status}`);
  console.log(`${cases.length} cases: ${ends.join(', ')}`);
}

async function expectNoRubbish(timeoutMs: number): Promise<void> {
  let left: string[] = [];
  const none = async () => {
    left = await rubbish(stack);
    return left.length === 0;
  };
  await waitFor(none, { timeoutMs, what: 'nothing to be left' }).catch(() => expect(left).toEqual([]));
}

/** Kills one process or both, again and again, each time after some requests more, and starts them again. */
async function killNowAndThen(to: Client, random: Random): Promise<void> {
  for (let kills = 0; kills < KILLS; kills += 1) {
    const next = to.requests + random.between(5, 60);
    await waitFor(() => to.requests >= next, { intervalMs: 1, what: 'requests' });
    const back = random.pick([[0], [1], [0, 1]]).map(async (index) => {
      await stack.kill('upload', 'SIGKILL', index);
      await stack.restart('upload', index);
    });
    to.back = () => Promise.all(back);
    await to.back();
  }
}

/** As if nobody had touched them for long: the sweep takes what no row names. */
async function ageEverything(): Promise<void> {
  const longAgo = new Date(Date.now() - 2 * 3_600_000);
  const files = (await readdir(join(stack.storageDir, '.tmp'))).map((name) => join('.tmp', name));
  for await (const { key } of stack.store.list('chunks/')) files.push(key);
  await Promise.all(
    files.map((file) => utimes(join(stack.storageDir, file), longAgo, longAgo).catch(() => {})),
  );
  await stack.query(
    `UPDATE upload_sessions SET completed_at = completed_at - interval '2 minutes' WHERE sha256 IS NULL`,
  );
}

describe('random plans of pieces, in any order, at once, twice, cut, broken, cancelled', () => {
  it.each([
    ['by offset', MANY * 24, 'bytes'],
    ['by index', MANY * 16, 'form'],
    ['by both in one session', MANY * 12, 'both'],
  ] as const)('S3-06 S3-07 %s end with the exact bytes or a clean refusal', async (_name, count, door) => {
    await expectSound(await runAll(count, door));
    await expectNoRubbish(5000);
  });

  it('S3-06 S3-13 and while processes are killed, with rubbish at most that a sweep removes', async () => {
    const to: Client = { ...client(), kills: true };
    let killing = true;
    const killed = killNowAndThen(to, new Random(seed)).finally(() => {
      killing = false;
    });
    const doorOf = (number: number) => (['bytes', 'form', 'both'] as const)[number % 3]!;
    const cases = await runUntil(
      (begun) => !killing && begun >= 16,
      (number) => doorOf(number),
      to,
      FIRST_WITH_KILLS,
    );
    await killed;
    await ageEverything();
    await expectSound(cases);
    await expectNoRubbish(20_000);
  });
});
