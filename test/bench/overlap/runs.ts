import type { Plan } from '#media';
import { type Stack, waitFor } from '#testing';
import { cancelled } from '../cancelled.js';
import { uploadThrottled } from './throttled.js';

const LONGEST_JOB_MS = 30 * 60_000;
const LOOK_EVERY_MS = 100;

export interface OverlapRun {
  /** From the last byte's row to the completed job. */
  waitSeconds: number;
  /** From the row of the first segment’s last byte to the early playlist being served. */
  playableSeconds: number;
  /** What was done after the last byte's row, as text: its spans, how often each was taken, and its segments. */
  ending: string;
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
    ending: await endingOf(stack, job),
  };
}

async function endingOf(stack: Stack, job: string): Promise<string> {
  const rows = await stack.query(
    `WITH last AS (SELECT max(received_at) AS byte FROM upload_chunks c JOIN upload_sessions s ON s.id = c.session_id WHERE s.job_id = $1)
     SELECT kind || ' ' || position || CASE WHEN lease_number > 1 THEN ' (taken ' || lease_number || ' times)' ELSE '' END AS what,
       extract(epoch FROM updated_at - byte)::float8 AS seconds FROM spans, last WHERE job_id = $1 AND updated_at > byte
     UNION ALL SELECT 'last of ' || count(*) || ' segments', extract(epoch FROM max(stored_at) - max(byte))::float8
       FROM segments, last WHERE job_id = $1 AND stored_at > byte
     ORDER BY seconds`,
    [job],
  );
  return rows.map(({ what, seconds }) => `${what} ${Number(seconds).toFixed(2)}`).join(', ');
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
