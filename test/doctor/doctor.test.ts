import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { examine, type Finding } from '#doctor';
import { startRedis } from '#launcher';
import { openDataSource } from '#persistence';
import { createRedis } from '#queue';
import { createTestDatabase, type TestDatabase, testDir, testPort, testRedisUrl } from '#testing';
import { isLongRun } from '../long-run.js';

const ENTRY = join(import.meta.dirname, '../../docker/service.mjs');

let dir: string;
let database: TestDatabase;
let well: Record<string, string>;

beforeAll(async () => {
  dir = await testDir('doctor');
  database = await createTestDatabase();
  await (await openDataSource({ databaseUrl: database.url, poolSize: 2, name: 'test' })).destroy();
  well = {
    DATABASE_URL: database.url,
    DATABASE_POOL_SIZE: '5',
    REDIS_URL: await testRedisUrl(),
    STORAGE_DIR: join(dir, 'storage'),
    SCRATCH_DIR: join(dir, 'scratch'),
    INTERNAL_SECRET: 'a secret of the tests, long enough to be one',
  };
});
afterAll(() => database?.drop());

const of = (findings: Finding[], part: string) => findings.filter((finding) => finding.part === part);
const trouble = (findings: Finding[], part: string) =>
  of(findings, part).filter(({ state }) => state !== 'ok');

describe('doctor', () => {
  it('finds nothing that stops Sluice where all is well, tries each encoder, and leaves nothing in the store', async () => {
    const findings = await examine(well);
    expect(findings.filter(({ state }) => state === 'failed')).toEqual([]);
    for (const part of ['settings', 'ffmpeg', 'ffprobe', 'Redis', 'Postgres', 'clock', 'store', 'disk'])
      expect(of(findings, part), part).not.toEqual([]);
    expect(of(findings, 'profile default')[0]).toMatchObject({ state: 'ok', says: /libx264/ });
    expect(of(findings, 'clock').map(({ says }) => says)).toEqual([
      'as that of Redis',
      'as that of Postgres',
    ]);
    const left = await readdir(well.STORAGE_DIR!, { recursive: true, withFileTypes: true });
    expect(left.filter((entry) => entry.isFile())).toEqual([]);
  });

  it('says of each part that is away or wrong how to mend it, and looks at the others all the same', async () => {
    const port = await testPort();
    const noFolder = join(dir, 'no-folder');
    await writeFile(noFolder, 'a file');
    const findings = await examine({
      ...well,
      DATABASE_URL: `postgres://nobody:x@127.0.0.1:${port}/none`,
      REDIS_URL: `redis://127.0.0.1:${port}`,
      STORAGE_DIR: noFolder,
      FFMPEG_PATH: join(dir, 'no-ffmpeg'),
      SPAN_CONCURRENCY: 'two',
    });
    for (const part of ['settings', 'ffmpeg', 'Redis', 'Postgres', 'store', 'disk']) {
      const [finding] = trouble(findings, part);
      expect(finding, part).toMatchObject({ state: 'failed', mend: /./ });
    }
    expect(of(findings, 'settings')[0]?.says).toContain('SPAN_CONCURRENCY');
    // A password is no part of what is found.
    expect(JSON.stringify(findings)).not.toContain('nobody:x');
  });

  it('warns of a Redis that evicts or forgets, and of migrations that are pending or unknown', async () => {
    const redisPort = await testPort();
    const server = await startRedis({
      ...{ dir: join(dir, 'redis'), port: redisPort, password: 'p', durable: false },
      logFile: join(dir, 'redis.log'),
    });
    const redis = createRedis(server.url, 'producer', 'test');
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    redis.disconnect();
    const fresh = await createTestDatabase({ empty: true });
    try {
      const quick = { ...well, FFMPEG_PATH: 'none' };
      const first = await examine({ ...quick, REDIS_URL: server.url, DATABASE_URL: fresh.url });
      expect(trouble(first, 'Redis').map(({ state, says }) => `${state} ${says}`)).toEqual([
        expect.stringMatching(/^failed maxmemory-policy allkeys-lru/),
        expect.stringMatching(/^warning append-only file off/),
      ]);
      expect(trouble(first, 'Postgres')[0]).toMatchObject({
        state: 'warning',
        says: /migrations are pending/,
      });
      await database.query("INSERT INTO migrations (timestamp, name) VALUES (9, 'Newer9')");
      const second = await examine(quick);
      expect(trouble(second, 'Postgres')[0]).toMatchObject({ state: 'failed', says: /newer version/ });
    } finally {
      await database.query("DELETE FROM migrations WHERE name = 'Newer9'");
      await fresh.drop();
      await server.child.stop(2000);
    }
  });

  it('an encoder that fails is told, and that of the usual profile is a failure', async () => {
    const bin = join(dir, 'bin');
    await mkdir(bin);
    const path = join(bin, 'ffmpeg');
    // Everything but an encode with x264 is the real one's.
    await writeFile(path, '#!/bin/sh\ncase "$*" in *"-c:v libx264"*) exit 1;; esac\nexec ffmpeg "$@"\n');
    await chmod(path, 0o755);
    const findings = await examine({ ...well, FFMPEG_PATH: path });
    expect(of(findings, 'profile default')[0]).toMatchObject({ state: 'failed', says: /no encoder works/ });
    expect(of(findings, 'profile hevc')[0]?.state).toBe('ok');
  });

  it('says who gets in, that nobody does, and asks the scanner where there is one', async () => {
    const quick = { ...well, FFMPEG_PATH: 'none' };
    expect(trouble(await examine(quick), 'access')).toEqual([]);
    const keys = await examine({
      ...quick,
      AUTH_MODE: 'keys',
      SCAN_MODE: 'before',
      CLAMD_PORT: `${await testPort()}`,
    });
    expect(trouble(keys, 'access').map(({ says }) => says)).toEqual([
      expect.stringMatching(/nobody can open the queue board/),
      expect.stringMatching(/there is no API key/),
    ]);
    expect(of(keys, 'scanner')[0]).toMatchObject({ state: 'failed', says: /does not answer/ });
    const clamd = createServer((socket) =>
      socket.on('data', (data) => socket.end(data.includes('zPING\0') ? 'PONG\0' : 'UNKNOWN COMMAND\0')),
    ).listen(0, '127.0.0.1');
    await once(clamd, 'listening');
    const { port } = clamd.address() as AddressInfo;
    const scanned = await examine({ ...quick, SCAN_MODE: 'before', CLAMD_PORT: `${port}` });
    clamd.close();
    expect(of(scanned, 'scanner')[0]?.state).toBe('ok');
  });

  it.runIf(isLongRun)(
    'is a command of the image, ends with 1 when something failed, and refuses options that it has not',
    () => {
      const run = (...args: string[]) =>
        spawnSync(process.execPath, [ENTRY, ...args], {
          encoding: 'utf8',
          env: { PATH: process.env.PATH ?? '', ...well },
        });
      const good = run('doctor');
      expect([good.status, good.stdout]).toEqual([
        0,
        expect.stringMatching(/0 failed, \d+ warnings, \d+ ok\n$/),
      ]);
      expect(run('doctor', '--loud')).toMatchObject({ status: 2 });
    },
  );
});
