import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '#testing';
import { type Door, MAX_CHUNK, MAX_FILE, planOf } from './property/plan.js';
import { seedOfThisRun } from './property/random.js';
import { type Case, run } from './property/run.js';
import { rubbish, takePicture, verify } from './property/verify.js';
import { startUploads, type UploadStack } from './support.js';

const seed = seedOfThisRun();
/** One case of a run that failed. */
const only = process.env.SLUICE_TEST_CASE;
const AT_ONCE = 16;

let stack: UploadStack;

beforeAll(async () => {
  console.log(`SLUICE_TEST_SEED=${seed}`);
  stack = await startUploads(2, {
    UPLOAD_MAX_CHUNK_SIZE: String(MAX_CHUNK),
    UPLOAD_MAX_FILE_SIZE: String(MAX_FILE),
  });
});
afterAll(() => stack?.stop());

const numbers = (count: number) =>
  only === undefined ? Array.from({ length: count }, (_, number) => number) : [Number(only)];

async function runAll(count: number, door: Door): Promise<Case[]> {
  const left = numbers(count);
  const cases: Case[] = [];
  const worker = async () => {
    for (let number = left.shift(); number !== undefined; number = left.shift())
      cases.push(await run(planOf(seed, number, door), { uploads: stack.uploads, kills: false }));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return cases;
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
}

describe('random plans of pieces, in any order, at once, twice, cut, broken, cancelled', () => {
  it.each([
    ['by offset', 90, 'bytes'],
    ['by index', 70, 'form'],
    ['by both in one session', 40, 'both'],
  ] as const)('S3-06 S3-07 %s end with the exact bytes or a clean refusal', async (_name, count, door) => {
    const cases = await runAll(count, door);
    await expectSound(cases);
    await waitFor(async () => (await rubbish(stack)).length === 0, {
      timeoutMs: 5000,
      what: 'nothing to be left',
    }).catch(async () => expect(await rubbish(stack)).toEqual([]));
    const ended = (status: string) => cases.filter((seen) => seen.status === status).length;
    const ends = ['completed', 'cancelled', 'failed', 'active'].map((status) => `${ended(status)} ${status}`);
    console.log(`${door}: ${ends.join(', ')}`);
  });
});
