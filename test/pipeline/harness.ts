import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { SluiceClient } from '#client';
import { fileSource } from '#client/node';
import { type JobView, QUEUE_NAMES } from '#contracts';
import { QueueProducer } from '#queue';
import { openStore } from '#storage';
import { descendantsOf, type Stack, waitFor } from '#testing';

/** Small segments and spans, so that clips of a few seconds have several of both. */
export const MANY_SPANS = { SEGMENT_SECONDS: '1', SPAN_SECONDS: '2', ENCODER_PRESET: 'ultrafast' };

/** Until what it answers with is called no job completes, however quick the encode is. */
export async function pausePackaging(stack: Stack): Promise<() => Promise<void>> {
  const queues = new QueueProducer(stack.redisUrl, 'test');
  await queues.queue('package').pause();
  return async () => {
    await queues.queue('package').resume();
    await queues.close();
  };
}

/** Chunks are small and come in no order: 7 to 8 of them, whatever the file. */
const CHUNKS = 7;

/** Sends a file; `onSession` learns of the session before the first byte is sent. */
export async function upload(
  stack: Stack,
  file: string,
  onSession: (ids: { session: string; job: string }) => void = () => undefined,
  options?: Record<string, unknown>,
): Promise<string> {
  const client = new SluiceClient({ uploadUrl: stack.urls.upload, limits: null });
  const source = await fileSource(file);
  let job = '';
  await client.upload(source, {
    order: 'shuffled',
    parallel: 4,
    chunkSize: Math.max(1, Math.ceil(source.size / CHUNKS)),
    ...(options ? { options } : {}),
    onSession: (data) => {
      if (!data.job_id) throw new Error('a session without a job');
      job = data.job_id;
      onSession({ session: data.session_id, job });
    },
  });
  return job;
}

export async function jobOf(stack: Stack, id: string): Promise<JobView> {
  const response = await fetch(`${stack.urls.gateway}/jobs/${id}`);
  if (!response.ok) throw new Error(`GET /jobs/${id} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as JobView;
}

/** The job once it is completed or failed. */
export function jobEnd(stack: Stack, id: string, timeoutMs = 50_000): Promise<JobView> {
  return waitFor(
    async () => {
      const job = await jobOf(stack, id);
      return job.status === 'completed' || job.status === 'failed' ? job : null;
    },
    { what: `job ${id} to end`, timeoutMs },
  );
}

/** The job of a file that must become a stream; its reason and the log of the encoder when it does not. */
export async function mustComplete(stack: Stack, id: string, timeoutMs?: number): Promise<JobView> {
  const job = await jobEnd(stack, id, timeoutMs);
  if (job.status === 'failed') {
    const log = (await stack.logs('transcode')).split('\n').slice(-15).join('\n');
    throw new Error(`the job failed with ${job.error_code}: ${job.error_message}\n${log}`);
  }
  return job;
}

/** Where players find the finished stream. */
export function streamOf(stack: Stack, job: JobView): { hls: string; dash: string } {
  const { hls, dash } = job.playback;
  if (!hls || !dash)
    throw new Error(`a completed job without a place to play: ${JSON.stringify(job.playback)}`);
  return { hls: new URL(hls, stack.urls.gateway).href, dash: new URL(dash, stack.urls.gateway).href };
}

/** All that a job could leave: objects, files in scratch, processes, queue entries. Empty is clean. */
export async function leftoversOf(stack: Stack, ids: { session: string; job: string }): Promise<string[]> {
  const found: string[] = [];
  const store = await openStore({ STORAGE_DRIVER: 'directory', STORAGE_DIR: stack.storageDir });
  const assets = await stack.query('SELECT asset_id FROM jobs WHERE id = $1', [ids.job]);
  for (const prefix of [`chunks/${ids.session}/`, ...assets.map((row) => `media/${row.asset_id}/`)]) {
    for await (const object of store.list(prefix)) found.push(`object ${object.key}`);
  }
  found.push(...(await scratchFiles(stack)));
  for (const { process } of stack.processes.transcode) {
    const encoders = descendantsOf(process.pid).filter(({ command }) => /ff(mpeg|probe)/.test(command));
    found.push(...encoders.map(({ command }) => `process ${path.basename(command.split(' ')[0] ?? '')}`));
  }
  const queues = new QueueProducer(stack.redisUrl, 'test');
  try {
    for (const name of QUEUE_NAMES) {
      const entries = await queues
        .queue(name)
        .getJobs(['waiting', 'active', 'delayed', 'prioritized', 'waiting-children']);
      const ours = entries.filter((entry) => entry?.data?.jobId === ids.job);
      found.push(...ours.map((entry) => `entry ${entry.id} in ${name}`));
    }
  } finally {
    await queues.close();
  }
  return found;
}

/** Segments that wait for the store; of all jobs, so only of use where no other runs. */
export async function scratchFiles(stack: Stack): Promise<string[]> {
  const dir = path.dirname(stack.storageDir);
  const found: string[] = [];
  for (const name of await readdir(dir)) {
    if (!name.startsWith('scratch-transcode')) continue;
    const inside = await readdir(path.join(dir, name), { recursive: true, withFileTypes: true });
    found.push(
      ...inside.filter((entry) => !entry.isDirectory()).map((entry) => `scratch file ${entry.name}`),
    );
  }
  return found;
}

/** Waits until nothing is left; what is, is in the error. */
export async function waitUntilClean(stack: Stack, ids: { session: string; job: string }): Promise<void> {
  let left: string[] = [];
  try {
    await waitFor(
      async () => {
        left = await leftoversOf(stack, ids);
        return left.length === 0;
      },
      { what: `nothing to be left of job ${ids.job}`, timeoutMs: 20_000 },
    );
  } catch (error) {
    throw new Error(`of job ${ids.job} there is left: ${left.join(', ')}`, { cause: error });
  }
}
