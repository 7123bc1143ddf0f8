import { SluiceClient } from '#client';
import type { Plan } from '#media';
import { type Stack, waitFor } from '#testing';
import { uploadThrottled } from './throttled.js';

const LONGEST_JOB_MS = 30 * 60_000;
const LOOK_EVERY_MS = 100;

export interface OverlapRun {
  /** From the last byte's row to the completed job. */
  waitSeconds: number;
  /** From the row of the first segment’s last byte to the early playlist being served. */
  playableSeconds: number;
}

/** What the product makes of this file, learnt from a job that is then cancelled. */
export async function planOf(stack: Stack, file: string): Promise<Plan> {
  const { job, session } = await begin(stack, file);
  const plan = await waitFor(
    async () => (await stack.query('SELECT plan FROM jobs WHERE id = $1', [job]))[0]?.plan,
    { what: 'a plan', timeoutMs: 60_000 },
  );
  await cancelled(stack, session, job);
  return plan as Plan;
}

/** The file of which no rung is copied. `firstSegmentEnd`: where its bytes end. */
export async function runEncoded(
  stack: Stack,
  file: string,
  throttle: { minutes: number; seconds: number },
  firstSegmentEnd: number,
): Promise<OverlapRun> {
  let early: Promise<Date> = Promise.reject(new Error('no job'));
  early.catch(() => undefined);
  let job = '';
  await uploadThrottled(stack.urls.upload, file, {
    ...throttle,
    onJob: (id) => {
      job = id;
      early = earlyPlaylist(stack, id);
      early.catch(() => undefined);
    },
  });
  await ended(stack, job, `status = 'completed'`);
  const [row] = await stack.query(
    `SELECT extract(epoch FROM j.completed_at - (SELECT max(received_at) FROM upload_chunks WHERE session_id = s.id))::float8 AS wait,
       (SELECT max(received_at) FROM upload_chunks WHERE session_id = s.id AND byte_offset < $2) AS first
     FROM jobs j JOIN upload_sessions s ON s.job_id = j.id WHERE j.id = $1`,
    [job, firstSegmentEnd],
  );
  const served = (await early).getTime();
  return {
    waitSeconds: Number(row?.wait),
    playableSeconds: (served - new Date(row?.first as string).getTime()) / 1000,
  };
}

/** The fit file, until its copied rung and its sound are complete and can be played; the rest is not waited for. */
export async function runCopied(
  stack: Stack,
  file: string,
  throttle: { minutes: number; seconds: number },
): Promise<number> {
  const { session_id: session, job_id } = await uploadThrottled(stack.urls.upload, file, throttle);
  const job = job_id ?? '';
  await ended(
    stack,
    job,
    `playable_at IS NOT NULL AND EXISTS (SELECT 1 FROM renditions WHERE job_id = jobs.id AND mode = 'copy')
     AND NOT EXISTS (SELECT 1 FROM renditions WHERE job_id = jobs.id AND (mode = 'copy' OR kind = 'audio') AND completed_at IS NULL)`,
  );
  const [row] = await stack.query(
    `SELECT extract(epoch FROM greatest(j.playable_at, (SELECT max(completed_at) FROM renditions
         WHERE job_id = j.id AND (mode = 'copy' OR kind = 'audio')))
       - (SELECT max(received_at) FROM upload_chunks WHERE session_id = $2))::float8 AS seconds
     FROM jobs j WHERE j.id = $1`,
    [job, session],
  );
  await cancelled(stack, session, job);
  return Number(row?.seconds);
}

async function begin(stack: Stack, file: string): Promise<{ job: string; session: string }> {
  const { job_id, session_id } = await uploadThrottled(stack.urls.upload, file, { minutes: 1, seconds: 0 });
  return { job: job_id ?? '', session: session_id };
}

/** Nothing of it runs any more. */
async function cancelled(stack: Stack, session: string, job: string): Promise<void> {
  await new SluiceClient({ uploadUrl: stack.urls.upload }).cancel(session);
  await waitFor(
    async () =>
      (
        await stack.query(
          `SELECT 1 FROM jobs j JOIN assets a ON a.id = j.asset_id WHERE j.id = $1 AND a.status IN ('provisional', 'deleting')`,
          [job],
        )
      ).length === 0,
    { what: 'a cancelled job to be cleaned up', timeoutMs: 60_000 },
  );
}

async function ended(stack: Stack, job: string, condition: string): Promise<void> {
  await waitFor(
    async () =>
      (await stack.query(`SELECT 1 FROM jobs WHERE id = $1 AND (status = 'failed' OR (${condition}))`, [job]))
        .length > 0,
    { what: `job ${job} to come to its end`, timeoutMs: LONGEST_JOB_MS, intervalMs: LOOK_EVERY_MS },
  );
  const [row] = await stack.query('SELECT status, error_message FROM jobs WHERE id = $1', [job]);
  if (row?.status === 'failed') throw new Error(`the job failed: ${row.error_message}`);
}

/** As a page that follows the job: it asks for the playlist when it is told that there is one. */
async function earlyPlaylist(stack: Stack, job: string): Promise<Date> {
  const options = { timeoutMs: LONGEST_JOB_MS, intervalMs: LOOK_EVERY_MS };
  const asset = await waitFor(
    async () =>
      (await stack.query('SELECT asset_id FROM jobs WHERE id = $1 AND playable_at IS NOT NULL', [job]))[0]
        ?.asset_id,
    { ...options, what: 'something to play' },
  );
  const address = `${stack.urls.gateway}/media/${asset}/early.m3u8`;
  await waitFor(async () => (await fetch(address)).ok, { ...options, what: 'the early playlist' });
  return new Date();
}
