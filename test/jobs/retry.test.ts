import { EventEmitter, once } from 'node:events';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SluiceClient, type UploadSource } from '#client';
import { fileSource } from '#client/node';
import type { JobView, QuarantinedWork, RenditionName, RetryRequest } from '#contracts';
import { type Stack, startStack, testDir } from '#testing';
import { chromiumPath, launch, visit } from '../browser/chromium.js';
import { type Clip, fileOf, TIMED } from '../clips/good.js';
import { problem } from '../gateway/rows.js';
import { isLongRun } from '../long-run.js';
import {
  jobEnd,
  jobOf,
  MANY_SPANS,
  mustComplete,
  streamOf,
  upload,
  waitUntilClean,
} from '../pipeline/harness.js';
import { verifyStream } from '../verify/stream.js';

/** In place of ffmpeg: `late` lets the first encode run and fails the others, `broken` fails all, `poison` ends its owner. */
const STAND_IN = `#!/bin/bash
dir=$(dirname "$0")
case "$*" in *-force_key_frames*)
  case $(cat "$dir/mode") in
    late) mkdir "$dir/one" 2>/dev/null || { echo 'Conversion failed!' >&2; exit 1; };;
    broken) echo 'Conversion failed!' >&2; exit 1;;
    poison) kill -9 $PPID;;
  esac;;
esac
exec ffmpeg "$@"
`;
const plain = TIMED.find(({ name }) => name === 'no-sound') as Clip;
const LIMIT_MS = 90_000;

let dir: string;
let stack: Stack;
let running = true;
const lives: Promise<void>[] = [];

beforeAll(async () => {
  dir = await testDir('retry');
  const path = join(dir, 'ffmpeg');
  await writeFile(path, STAND_IN);
  await chmod(path, 0o755);
  stack = await startStack({
    env: {
      ...MANY_SPANS,
      ...{ FFMPEG_PATH: path, ENABLE_DEDUPLICATION: 'false', SPAN_CONCURRENCY: '1' },
      ...{ QUALITY_SAMPLES: '0', STORYBOARD_TILES: '0', POSTER: 'false', LEASE_SECONDS: '2' },
    },
  });
  lives.push(keepAlive());
});
afterAll(async () => {
  running = false;
  await stack?.stop();
  await Promise.all(lives);
});

/** As the launcher and Kubernetes do. */
async function keepAlive(): Promise<void> {
  while (running) {
    await stack.processes.transcode[0]?.process.exited;
    if (running) await stack.restart('transcode').catch(() => undefined);
  }
}

async function behave(mode: 'fine' | 'late' | 'broken' | 'poison'): Promise<void> {
  await rm(join(dir, 'one'), { recursive: true, force: true });
  await writeFile(join(dir, 'mode'), mode);
}
const post = (path: string, body?: Partial<RetryRequest>) =>
  fetch(`${stack.urls.gateway}${path}`, {
    method: 'POST',
    ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
  });
async function retry(job: string, body?: Partial<RetryRequest>): Promise<JobView> {
  const response = await post(`/jobs/${job}/retry`, body);
  expect(response.status).toBe(202);
  return (await response.json()) as JobView;
}
const segmentsOf = async (job: string) =>
  (await stack.query(
    `SELECT r.name, g.segment_index AS index, g.stored_at::text AS stored FROM segments g JOIN renditions r ON r.id = g.rendition_id
     WHERE g.job_id = $1 ORDER BY 1, 2`,
    [job],
  )) as { name: string; index: number; stored: string }[];

describe('S1-11 a failed job is tried again', { timeout: LIMIT_MS }, () => {
  const failLate = async (): Promise<string> => {
    await behave('late');
    const job = await upload(stack, await fileOf(plain));
    const failed = await jobEnd(stack, job);
    expect(failed.failure).toMatchObject({
      code: 'encode_failed',
      message: 'The video could not be converted; a part of it may be damaged.',
      stage: 'transcoding',
      retryable: true,
      detail: {
        ...{ kind: 'video', attempts: 2, exit_code: 1 },
        stderr: expect.stringContaining('Conversion failed'),
      },
    });
    return job;
  };

  it('with what is missing; what is stored stays, and the stream is whole', async () => {
    const job = await failLate();
    const first = await segmentsOf(job);
    expect(first.length).toBeGreaterThan(0);
    await behave('fine');
    expect(await retry(job)).toMatchObject({ status: 'processing', error_code: null, failure: null });
    const done = await mustComplete(stack, job, LIMIT_MS);
    expect(done).toMatchObject({ stage: 'completed', progress: 100, error_code: null });
    expect(await segmentsOf(job)).toEqual(expect.arrayContaining(first));
    await verifyStream(streamOf(stack, done));
    expect(await problem(await post(`/jobs/${job}/retry`))).toEqual([409, 'job_not_failed']);
  });

  it.runIf(isLongRun)('with everything, and with one rendition', async () => {
    const job = await failLate();
    await behave('broken');
    expect(await retry(job, { what: 'all' })).toMatchObject({ status: 'pending' });
    expect((await jobEnd(stack, job)).status).toBe('failed');
    expect(await segmentsOf(job)).toEqual([]);
    await behave('late');
    await retry(job);
    await jobEnd(stack, job);
    const before = await segmentsOf(job);
    const again = before.at(-1)?.name as RenditionName;
    await behave('fine');
    await retry(job, { what: 'rendition', renditions: [again] });
    const done = await mustComplete(stack, job, LIMIT_MS);
    const after = await segmentsOf(job);
    expect(after).toEqual(expect.arrayContaining(before.filter(({ name }) => name !== again)));
    for (const segment of before.filter(({ name }) => name === again))
      expect(after).not.toContainEqual(segment);
    await verifyStream(streamOf(stack, done));
  });

  it.runIf(isLongRun)(
    'S0-16 work that ended its process three times is listed, and released by the operator alone',
    async () => {
      await behave('poison');
      const job = await upload(stack, await fileOf(plain));
      expect((await jobEnd(stack, job, LIMIT_MS)).error_message).toContain('ended its process three times');
      const listed = (await (await fetch(`${stack.urls.gateway}/v1/quarantine`)).json()) as {
        data: { work: QuarantinedWork[] };
      };
      const work = listed.data.work.filter((one) => one.job_id === job);
      expect(work).toEqual([
        expect.objectContaining({ kind: 'video', unclean_deaths: 3, job_status: 'failed', releasable: true }),
      ]);
      await behave('fine');
      expect((await post(`/v1/quarantine/${work[0]?.id}/release`)).status).toBe(202);
      await mustComplete(stack, job, LIMIT_MS);
      expect(await problem(await post(`/v1/quarantine/${work[0]?.id}/release`))).toEqual([
        404,
        'quarantine_not_found',
      ]);
    },
  );
});

describe.skipIf(!chromiumPath)('the page of a failed job (skipped where no Chromium is installed)', () => {
  it.runIf(isLongRun)('tries it again and shows how it goes on', { timeout: LIMIT_MS }, async () => {
    await behave('broken');
    const job = await upload(stack, await fileOf(plain));
    expect((await jobEnd(stack, job)).status).toBe('failed');
    const browser = await launch();
    try {
      const { page, troubles } = await visit(browser, `${stack.urls.gateway}/watch/${job}`);
      const again = page.getByRole('button', { name: /^Try .* again$/ });
      await again.waitFor();
      await behave('fine');
      await again.click();
      await page.getByText('Ready', { exact: true }).waitFor({ timeout: LIMIT_MS });
      expect(await again.isVisible()).toBe(false);
      expect(troubles).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});

describe('DELETE /jobs/:id', { timeout: LIMIT_MS }, () => {
  it('S3-03 ends a job with its upload and leaves nothing, as often as it is asked', async () => {
    await behave('fine');
    const ids = { session: '', job: '' };
    const remove = () => fetch(`${stack.urls.gateway}/jobs/${ids.job}`, { method: 'DELETE' });
    const client = new SluiceClient({ uploadUrl: stack.urls.upload });
    const source = await fileSource(await fileOf(plain));
    const middle = new EventEmitter();
    const chunkSize = Math.ceil(source.size / 5);
    // Removed when some chunks have arrived; the last one is sent when that is done.
    const removed = once(middle, 'reached').then(remove);
    const held: UploadSource = {
      ...source,
      async read(start, end) {
        if (end === source.size) await removed;
        return source.read(start, end);
      },
    };
    const sent = client.upload(held, {
      chunkSize,
      onSession: ({ session_id, job_id }) => Object.assign(ids, { session: session_id, job: job_id }),
      onProgress: ({ sent }) => sent >= 2 * chunkSize && middle.emit('reached'),
    });
    await expect(sent).rejects.toThrow();
    for (const answer of [await removed, await remove()]) {
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({
        ...{ status: 'failed', error_code: 'cancelled', failure: { retryable: false } },
      });
    }
    expect((await jobOf(stack, ids.job)).error_code).toBe('cancelled');
    const session = await fetch(`${stack.urls.upload}/v1/upload/video/session/${ids.session}`);
    expect(await session.json()).toMatchObject({ data: { status: 'cancelled' } });
    await waitUntilClean(stack, ids);
    expect(await problem(await post(`/jobs/${ids.job}/retry`))).toEqual([410, 'source_gone']);
  });
});
