import { SluiceClient } from '#client';
import { fileSource } from '#client/node';
import { waitFor } from '#testing';
import type { BenchStack } from './index.js';

const LONGEST_JOB_MS = 15 * 60_000;

export interface Sent {
  job: string;
  session: string;
}

export async function send(stack: BenchStack, file: string): Promise<Sent> {
  const session = await new SluiceClient({ uploadUrl: stack.urls.upload }).upload(await fileSource(file));
  return { job: session.job_id as string, session: session.session_id };
}

export const untilStored = (stack: BenchStack, job: string, segments: number) =>
  waitFor(
    async () =>
      (await stack.query('SELECT 1 FROM segments WHERE job_id = $1 LIMIT $2', [job, segments])).length ===
      segments,
    { what: `${segments} segments of ${job}`, timeoutMs: LONGEST_JOB_MS, intervalMs: 50 },
  );

/** A failed job is an error. */
export async function untilCompleted(stack: BenchStack, job: string): Promise<void> {
  const row = await waitFor(
    async () =>
      (
        await stack.query(
          `SELECT status, error_message FROM jobs WHERE id = $1 AND status IN ('completed', 'failed')`,
          [job],
        )
      )[0],
    { what: 'the job to end', timeoutMs: LONGEST_JOB_MS, intervalMs: 250 },
  );
  if (row.status === 'failed') throw new Error(`a job failed: ${row.error_message}`);
}
