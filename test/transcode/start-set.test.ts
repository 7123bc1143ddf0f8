import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { QueueProducer } from '#queue';
import { type Stack, startStack, waitFor } from '#testing';
import { fileOf, TIMED } from '../clips/good.js';
import { isLongRun } from '../long-run.js';
import { mustComplete, streamOf, upload } from '../pipeline/harness.js';
import { verifyStream } from '../verify/stream.js';

const MANY = { SEGMENT_SECONDS: '1', SPAN_SECONDS: '4', ENCODER_PRESET: 'ultrafast' };
const PATIENCE = 120_000;
const plain = TIMED.find((clip) => clip.name === 'plain')!;

let stack: Stack;
afterEach(async () => {
  await stack?.stop();
});

interface SpanRow {
  id: string;
  kind: 'video' | 'audio';
  status: string;
  leases: number;
  waits: boolean;
}

const spansOf = async (job: string) =>
  (await stack.query(
    `SELECT id, kind, status, lease_number AS leases, params -> 'waitsFor' <> 'null' AS waits FROM spans
     WHERE job_id = $1 ORDER BY position`,
    [job],
  )) as unknown as SpanRow[];

const waiting = async (job: string) => (await spansOf(job)).filter((span) => span.waits);
const startSpan = async (job: string) =>
  (await spansOf(job)).find((span) => span.kind === 'video' && !span.waits) as SpanRow;

/** A job whose start set is made and cannot be stored: what waits for it goes on waiting. */
async function heldAtStart(): Promise<string> {
  await stack.kill('segment-upload', 'SIGSTOP');
  const job = await upload(stack, await fileOf(plain));
  await untilMade();
  return job;
}

const untilMade = () =>
  waitFor(
    async () => {
      const files = await readdir(stack.processes.transcode[0]!.scratchDir, { recursive: true });
      return ['240p-0', 'audio-0'].every((name) => files.some((file) => file.endsWith(`/${name}`)));
    },
    { what: 'the start set in scratch', timeoutMs: 40_000 },
  );

/** Puts everything that waits into the queues, and returns when workers have looked at it and put it back. */
async function offer(job: string): Promise<void> {
  const producer = new QueueProducer(stack.redisUrl, 'test');
  try {
    for (const { id, kind } of await waiting(job)) {
      const queue = kind === 'video' ? 'span' : 'follower';
      await producer.enqueue(queue, { jobId: job, spanId: id });
      await waitFor(
        async () => (await (await producer.queue(queue).getJob(`span-${id}`))?.getState()) === 'delayed',
        { what: `span ${id} to be refused`, intervalMs: 20 },
      );
    }
  } finally {
    await producer.close();
  }
}

describe('what makes a stream playable', { timeout: PATIENCE }, () => {
  it.runIf(isLongRun)('is waited for in rows, whatever the queue says and whoever dies', async () => {
    stack = await startStack({ env: MANY });
    const job = await heldAtStart();
    expect((await waiting(job)).length).toBeGreaterThanOrEqual(3);
    await offer(job);
    expect(new Set((await waiting(job)).map((span) => span.leases))).toEqual(new Set([0]));

    await stack.kill('transcode');
    await stack.restart('transcode');
    await waitFor(async () => (await startSpan(job)).leases === 2, {
      what: 'another worker to have the start span',
      timeoutMs: 40_000,
    });
    await untilMade();
    expect(new Set((await waiting(job)).map((span) => span.leases))).toEqual(new Set([0]));

    await stack.kill('segment-upload', 'SIGCONT');
    const view = await mustComplete(stack, job, PATIENCE);
    const source = await fileOf(plain);
    const { problems } = await verifyStream(streamOf(stack, view), { ...plain, source, frames: 'numbered' });
    expect(problems).toEqual([]);
  });

  it('holds nothing up when its worker dies between the row and the queue', async () => {
    stack = await startStack({ env: MANY });
    const job = await heldAtStart();
    const { id } = await startSpan(job);
    await stack.query(
      `UPDATE spans SET status = 'done', lease_owner = NULL, lease_expires_at = NULL WHERE id = $1`,
      [id],
    );
    await waitFor(async () => (await waiting(job)).some((span) => span.leases > 0), {
      what: 'what has waited to be taken up',
    });
    await stack.kill('segment-upload', 'SIGCONT');
  });

  it('is planned with one look at an MP4’s header: sound with priming is in its index, too', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'sluice-probes-'));
    const [path, log] = [join(dir, 'ffprobe'), join(dir, 'calls')];
    await writeFile(path, `#!/bin/bash\necho call >> ${log}\nexec ffprobe "$@"\n`);
    await chmod(path, 0o755);
    try {
      stack = await startStack({ env: { ...MANY, FFPROBE_PATH: path } });
      const job = await upload(stack, await fileOf(plain));
      await waitFor(async () => (await spansOf(job)).length > 0, { what: 'a plan' });
      expect(await readFile(log, 'utf8')).toBe('call\n');
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
