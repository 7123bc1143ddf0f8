import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SluiceClient } from '#client';
import { fileSource } from '#client/node';
import { type Stack, startStack, waitFor } from '#testing';
import { Backing } from '../chaos/backing.js';
import { stateOf, uploadAnyhow, wrongWith } from '../chaos/jobs.js';
import { type Clip, fileOf, TIMED } from '../clips/good.js';
import { isLongRun } from '../long-run.js';
import { jobEnd, MANY_SPANS, upload, waitUntilClean } from '../pipeline/harness.js';

const LIMIT_MS = 300_000;
const PATIENCE_MS = 60_000;
const clip = (name: string) => TIMED.find((one) => one.name === name) as Clip;

let backing: Backing;
let stack: Stack;
/** A session of the file with its first half confirmed. */
async function half(file: string): Promise<{ session: string; job: string }> {
  const bytes = await readFile(file);
  const opened = await new SluiceClient({ uploadUrl: stack.urls.upload }).createSession({
    ...{ filename: 'half.mp4', size: bytes.length },
  });
  const first = bytes.subarray(0, Math.floor(bytes.length / 2));
  const sent = await fetch(`${stack.urls.upload}${opened.upload_path}/0`, {
    method: 'PUT',
    headers: {
      'content-type': 'application/octet-stream',
      'x-content-sha256': createHash('sha256').update(first).digest('hex'),
    },
    body: first,
  });
  expect(sent.status).toBe(200);
  return { session: opened.session_id, job: opened.job_id as string };
}

/** Which states there are, each once. */
async function states(): Promise<Set<string>> {
  const rows = await stack.query(
    `SELECT 'job ' || status || CASE WHEN waits_for IS NOT NULL THEN ' shares' WHEN status = 'pending' AND source_complete THEN ' in line'
         WHEN status = 'pending' THEN ' uploading' ELSE '' END AS state FROM jobs
     UNION SELECT 'span ' || status || CASE WHEN status = 'pending' AND released THEN ' released' ELSE '' END FROM spans
     UNION SELECT 'task ' || status FROM finishing_tasks
     UNION SELECT 'asset ' || status FROM assets
     UNION SELECT 'session ' || status FROM upload_sessions`,
  );
  return new Set(rows.map(({ state }) => String(state)));
}

const WANTED = [
  ...[
    'job pending uploading',
    'job pending in line',
    'job pending shares',
    'job processing',
    'job completed',
    'job failed',
  ],
  ...['span pending released', 'span running', 'span done', 'task pending', 'asset deleting', 'asset ready'],
  ...['session active', 'session completed', 'session cancelled'],
];

describe.runIf(isLongRun)('Redis that is emptied and restarted', () => {
  beforeAll(async () => {
    backing = await Backing.start();
    stack = await startStack({
      env: {
        ...MANY_SPANS,
        REDIS_URL: backing.redisUrl,
        PROCESSING_MAX_CONCURRENT_JOBS: '2',
        SPAN_CONCURRENCY: '1',
        HANDOVER_WINDOW: '1',
        LEASE_SECONDS: '4',
        POSTER: 'true',
      },
    });
  }, LIMIT_MS);
  afterAll(async () => {
    await stack?.stop();
    await backing?.stop();
  }, 60_000);

  it(
    'loses nothing, and nothing happens twice, with jobs in every state',
    async () => {
      const files = await Promise.all(
        ['plain', 'no-sound', 'ntsc-rate', 'sound-longer', 'sound-shorter', 'moov-at-the-end'].map((name) =>
          fileOf(clip(name)),
        ),
      );
      const [first = '', second = '', third = '', fourth = '', fifth = '', slow = ''] = files;
      const done = await upload(stack, second);
      expect((await jobEnd(stack, done, PATIENCE_MS)).status).toBe('completed');

      // What is encoded is not stored, so that work stands still in all of its states.
      await stack.kill('segment-upload', 'SIGSTOP');
      const jobs = [await upload(stack, first), await upload(stack, third)];
      jobs.push(await upload(stack, fourth), await upload(stack, fourth));
      const begun = await half(slow);
      const dropped = await half(fifth);
      await new SluiceClient({ uploadUrl: stack.urls.upload }).cancel(dropped.session);
      let seen = new Set<string>();
      await waitFor(
        async () => {
          seen = await states();
          return WANTED.every((state) => seen.has(state));
        },
        { what: 'every state', timeoutMs: 30_000 },
      ).catch((error: unknown) => {
        throw new Error(`never seen: ${WANTED.filter((state) => !seen.has(state)).join(', ')}`, {
          cause: error,
        });
      });

      await backing.flushRedis();
      await backing.stopRedis();
      await stack.kill('segment-upload', 'SIGCONT');
      // Bytes are taken while it is away.
      const client = new SluiceClient({ uploadUrl: stack.urls.upload });
      const late = client.upload(await fileSource(slow), { sessionId: begun.session });
      await backing.startRedis();
      await backing.flushRedis();
      await late;
      jobs.push(begun.job);

      // What comes afterwards goes its way, too.
      jobs.push(await uploadAnyhow(stack, await fileOf(clip('one-frame'))));
      const problems: string[] = [];
      for (const job of [done, ...jobs]) {
        const view = await jobEnd(stack, job, PATIENCE_MS).catch(async (error: unknown) => {
          throw new Error(`job ${job} is stuck:\n${await stateOf(stack, job)}`, { cause: error });
        });
        if (view.status !== 'completed') problems.push(`job ${job} failed: ${view.error_message}`);
        const [{ shares } = { shares: false }] = await stack.query(
          'SELECT waits_for IS NOT NULL AS shares FROM jobs WHERE id = $1',
          [job],
        );
        if (!shares) problems.push(...(await wrongWith(stack, job)));
      }
      expect(problems).toEqual([]);
      const blamed = await stack.query('SELECT id FROM spans WHERE unclean_deaths > 0 OR attempts > 0');
      expect(blamed).toEqual([]);
      await waitUntilClean(stack, dropped);
    },
    LIMIT_MS,
  );
});
