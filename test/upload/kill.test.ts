import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, startRedis } from '#launcher';
import { DataSource, dataSourceOptions } from '#persistence';
import { DirectoryStore } from '#storage';
import { startStack, testDir, testPort, waitFor } from '#testing';
import { isLongRun } from '../long-run.js';
import {
  assembled,
  complete,
  created,
  eventsOf,
  hold,
  jobOf,
  look,
  objects,
  put,
  rowsOf,
  type UploadStack,
  videoBytes,
  waitingForLocks,
} from './support.js';

let stack: UploadStack;
let redis: RedisServer;
let redisOptions: Parameters<typeof startRedis>[0];
let database: DataSource;
/** The one that is killed, and the one that the client goes to then. */
let mortal: string;
let other: string;

beforeAll(async () => {
  const dir = await testDir('redis');
  redisOptions = { dir, port: await testPort(), password: 'own', logFile: join(dir, 'log'), durable: false };
  redis = await startRedis(redisOptions);
  const started = await startStack({
    env: { UPLOAD_MAX_CHUNK_SIZE: '4096', REDIS_URL: redis.url, SWEEP_INTERVAL_SECONDS: '0.3' },
    services: { upload: 2, transcode: 1, 'segment-upload': 0, gateway: 0 },
  });
  const uploads = started.processes.upload.map((process) => process.url);
  stack = { ...started, store: new DirectoryStore(started.storageDir), uploads };
  [mortal, other] = uploads as [string, string];
  database = new DataSource(dataSourceOptions({ databaseUrl: stack.databaseUrl, poolSize: 4, name: 'test' }));
  await database.initialize();
});
afterAll(async () => {
  await database?.destroy();
  redis?.child.kill('SIGCONT');
  await stack?.stop();
  await redis?.child.stop(5000);
});

const gone = (request: Promise<unknown>) => expect(request).rejects.toThrow();

describe('an upload process that is killed', () => {
  it('S3-06 between the store and the row has confirmed nothing; sent again elsewhere it is taken', async () => {
    const file = videoBytes(3000);
    const { session_id: id } = await created(mortal, { size: 3000 });
    await put(mortal, id, 0, file.subarray(0, 1000));
    const release = await hold(database, 'upload_sessions', id);
    const cut = gone(put(mortal, id, 1000, file.subarray(1000)));
    await waitFor(async () => (await objects(stack, id)).length === 2, { what: 'the object' });
    await waitFor(async () => (await waitingForLocks(stack)) > 0, { what: 'the row to be asked for' });
    await stack.kill('upload');
    await release();
    await cut;
    expect((await look(other, id)).body.data).toMatchObject({ status: 'active', missing: [[1000, 3000]] });
    const again = await put(other, id, 1000, file.subarray(1000));
    expect(again.body.data).toMatchObject({ written: true, status: 'completed' });
    expect((await assembled(stack, id)).equals(file)).toBe(true);
    await stack.restart('upload');
  });

  it('S3-06 while it completes leaves a session that another one completes, once', async () => {
    const file = videoBytes(2000);
    const { session_id: id, job_id } = await created(mortal, { size: 2000 });
    await put(mortal, id, 0, file.subarray(0, 1000));
    const release = await hold(database, 'jobs', job_id);
    const cut = gone(put(mortal, id, 1000, file.subarray(1000)));
    await waitFor(async () => (await rowsOf(stack, id)).length === 2 && (await waitingForLocks(stack)) > 0, {
      what: 'the completion to wait',
    });
    await stack.kill('upload');
    await release();
    await cut;
    const answers = await Promise.all([complete(other, id), complete(other, id)]);
    for (const { body } of answers) expect(body.data).toMatchObject({ status: 'completed', job_id });
    expect((await eventsOf(stack, id)).filter((type) => type === 'upload_completed')).toHaveLength(1);
    expect((await assembled(stack, id)).equals(file)).toBe(true);
    await stack.restart('upload');
  });

  it('between the commit and the queue is made up for, and the job runs once', async () => {
    const file = videoBytes(1000);
    const { session_id: id } = await created(mortal, {});
    redis.child.kill('SIGSTOP');
    const cut = gone(put(mortal, id, 0, file));
    await waitFor(async () => (await jobOf(stack, id)).source_complete, { what: 'the commit' });
    await stack.kill('upload');
    redis.child.kill('SIGCONT');
    await cut;
    await waitFor(async () => (await jobOf(stack, id)).status === 'failed', { what: 'the only run' });
    expect((await eventsOf(stack, id)).filter((type) => type === 'processing_failed')).toHaveLength(1);
    await stack.restart('upload');
  });
});

describe('while Redis', () => {
  const sendAll = async () => {
    const file = videoBytes(2000);
    const { session_id: id } = await created(other, { size: 2000 });
    expect((await put(other, id, 0, file.subarray(0, 1000))).status).toBe(200);
    expect((await put(other, id, 1000, file.subarray(1000))).body.data.status).toBe('completed');
    expect((await complete(other, id)).status).toBe(200);
    return id;
  };
  const expectProcessed = (id: string) =>
    waitFor(async () => (await jobOf(stack, id)).status === 'failed', { what: 'the job to be taken up' });

  it.runIf(isLongRun)(
    'S3-06 answers nothing, files are taken all the same, and are processed when it answers',
    async () => {
      redis.child.kill('SIGSTOP');
      const id = await sendAll().finally(() => redis.child.kill('SIGCONT'));
      await expectProcessed(id);
    },
  );

  it('S3-06 is gone, files are taken all the same, and are processed when it is back, empty', async () => {
    await redis.child.stop(5000);
    const id = await sendAll();
    redis = await startRedis(redisOptions);
    await expectProcessed(id);
  });
});

describe('sessions that expire while their client goes on', () => {
  it('S3-13 end complete or with nothing left, never in between', async () => {
    const sessions = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const file = videoBytes(8000);
        const { session_id: id } = await created(other, { size: 8000 });
        return { id, file };
      }),
    );
    await stack.query(
      `UPDATE upload_sessions SET expires_at = now() + random() * interval '1 second'
       WHERE status = 'active' AND file_size = 8000`,
    );
    await Promise.all(
      sessions.map(async ({ id, file }) => {
        for (let at = 0; at < 8000; at += 500) {
          const { status, body } = await put(
            stack.uploads[(at / 500) % 2]!,
            id,
            at,
            file.subarray(at, at + 500),
          );
          if (status !== 200) {
            expect([status, body.code]).toEqual([410, 'session_expired']);
            return;
          }
        }
      }),
    );
    for (const { id, file } of sessions) {
      const { status } = (await look(other, id)).body.data;
      if (status === 'completed') {
        expect((await assembled(stack, id)).equals(file)).toBe(true);
        continue;
      }
      expect(status).toBe('expired');
      expect(await rowsOf(stack, id)).toEqual([]);
      await waitFor(async () => (await objects(stack, id)).length === 0, { what: 'the objects to go' });
      expect((await eventsOf(stack, id)).filter((type) => type === 'session_expired')).toHaveLength(1);
    }
  });
});
