import { randomUUID } from 'node:crypto';
import { stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chunkKey } from '#contracts';
import { createRedis, QueueProducer } from '#queue';
import { waitFor } from '#testing';
import {
  assembled,
  codeOf,
  created,
  expectExpired,
  jobOf,
  objects,
  overdue,
  put,
  rowsOf,
  startUploads,
  type UploadStack,
  videoBytes,
} from './support.js';

let stack: UploadStack;
let queues: QueueProducer;
let url: string;

beforeAll(async () => {
  stack = await startUploads(2, { SWEEP_INTERVAL_SECONDS: '0.3' });
  queues = new QueueProducer(stack.redisUrl, 'test');
  url = stack.uploads[0]!;
});
afterAll(async () => {
  await queues?.close();
  await stack?.stop();
});

const LONG_AGO = new Date(Date.now() - 2 * 3_600_000);
const ageFile = (path: string) => utimes(join(stack.storageDir, path), LONG_AGO, LONG_AGO);
const isFailed = (id: string) => async () => (await jobOf(stack, id)).status === 'failed';

describe('S3-13 the sweep', () => {
  it('ends sessions that nobody comes back to, each once, with two processes at it', async () => {
    const ids = await Promise.all(Array.from({ length: 8 }, () => overdue(stack)));
    for (const id of ids) {
      await waitFor(isFailed(id), { what: 'the sweep' });
      await expectExpired(stack, id);
    }
  });

  it('has a schedule for sessions and one for what was kept, which come back when Redis was emptied', async () => {
    const schedulers = () => queues.queue('sweep').getJobSchedulersCount();
    expect(await schedulers()).toBe(2);
    const redis = createRedis(stack.redisUrl, 'producer', 'test');
    await redis.flushdb();
    redis.disconnect();
    await waitFor(async () => (await schedulers()) === 2, { what: 'the schedules' });
    const id = await overdue(stack);
    await waitFor(isFailed(id), { what: 'the sweep' });
  });

  it('goes on when the process that swept is killed', async () => {
    await stack.kill('upload', 'SIGKILL', 1);
    const id = await overdue(stack);
    await waitFor(isFailed(id), { what: 'the other process to sweep' });
    await stack.restart('upload', 1);
  });

  it('completes what has its last byte and was forgotten', async () => {
    const { session_id: id } = await created(url, { size: 1001 });
    await put(url, id, 0, videoBytes(1000));
    await stack.query(
      `UPDATE upload_sessions SET file_size = 1000, updated_at = now() - interval '2 minutes' WHERE id = $1`,
      [id],
    );
    await waitFor(async () => (await jobOf(stack, id)).source_complete, { what: 'the sweep to complete it' });
  });

  it('removes objects without a row and unfinished puts, when they are old, and only those', async () => {
    const file = videoBytes(2000);
    const { session_id: id } = await created(url, { size: 2000 });
    await put(url, id, 0, file.subarray(0, 1000));
    const [adopted] = await objects(stack, id);
    const foreign = randomUUID();
    const [orphan, young, other] = [
      chunkKey(id, 1000, 'dead'),
      chunkKey(id, 1000, 'onitsway'),
      chunkKey(foreign, 0, 'dead'),
    ];
    for (const key of [orphan, young, other]) await stack.store.put(key, file.subarray(1000));
    const unfinished = join('.tmp', randomUUID());
    await writeFile(join(stack.storageDir, unfinished), 'half');
    for (const path of [adopted!, orphan, other, unfinished]) await ageFile(path);
    await waitFor(
      async () => (await objects(stack, id)).length === 2 && (await objects(stack, foreign)).length === 0,
      { what: 'the orphans to be swept' },
    );
    expect((await objects(stack, id)).sort()).toEqual([adopted, young].sort());
    await waitFor(
      () =>
        stat(join(stack.storageDir, unfinished)).then(
          () => false,
          () => true,
        ),
      {
        what: 'the unfinished put to go',
      },
    );
    expect((await put(url, id, 1000, file.subarray(1000))).body.data.status).toBe('completed');
    expect((await assembled(stack, id)).equals(file)).toBe(true);
  });
});

it('S3-13 a chunk that races the expiry completes its file, or is 410 and nothing is left', async () => {
  const race = async (turn: number) => {
    // Files of their own: one that is known already would not need its chunks.
    const file = videoBytes(2000);
    const { session_id: id } = await created(url, { size: 2000 });
    await put(url, id, 0, file.subarray(0, 1000));
    await stack.query(
      `UPDATE upload_sessions SET expires_at = now() + make_interval(secs => $2) WHERE id = $1`,
      [id, 0.004 * turn],
    );
    // Beside the schedule's own entry, so that both processes sweep while the chunk comes.
    await queues.enqueue('sweep', { part: 'sessions' });
    return { id, file, answer: await put(stack.uploads[turn % 2]!, id, 1000, file.subarray(1000)) };
  };
  const ended = [];
  for (let turn = 0; turn < 24; turn += 6) {
    ended.push(...(await Promise.all([0, 1, 2, 3, 4, 5].map((beside) => race(turn + beside)))));
  }
  for (const { id, file, answer } of ended) {
    if (answer.status === 200) {
      expect(answer.body.data.status).toBe('completed');
      expect((await assembled(stack, id)).equals(file)).toBe(true);
      expect(await objects(stack, id)).toHaveLength((await rowsOf(stack, id)).length);
    } else {
      expect(codeOf(answer)).toEqual([410, 'session_expired']);
      await waitFor(isFailed(id), { what: 'the sweep' });
      await expectExpired(stack, id);
    }
  }
});
