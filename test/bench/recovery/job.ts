import { SluiceClient } from '#client';
import { fileSource } from '#client/node';
import { waitFor } from '#testing';
import type { BenchStack } from './index.js';

const LONGEST_JOB_MS = 15 * 60_000;

export async function send(stack: BenchStack, file: string): Promise<string> {
  const session = await new SluiceClient({ uploadUrl: stack.urls.upload }).upload(await fileSource(file));
  return session.job_id as string;
}

export const untilStored = (stack: BenchStack, job: string, segments: number) =>
  waitFor(
    async () =>
      (await stack.query('SELECT 1 FROM segments WHERE job_id = $1 LIMIT $2', [job, segments])).length ===
      segments,
    { what: `${segments} segments of ${job}`, timeoutMs: LONGEST_JOB_MS, intervalMs: 50 },
  );

/** Resolves when all of them are completed; a failed one is an error. */
export async function untilCompleted(stack: BenchStack, ...jobs: string[]): Promise<void> {
  await waitFor(
    async () => {
      const open = await stack.query(
        `SELECT 1 FROM jobs WHERE id = ANY ($1) AND status IN ('pending', 'processing')`,
        [jobs],
      );
      return open.length === 0;
    },
    { what: 'the jobs to end', timeoutMs: LONGEST_JOB_MS, intervalMs: 250 },
  );
  const failed = await stack.query(
    `SELECT error_message FROM jobs WHERE id = ANY ($1) AND status = 'failed'`,
    [jobs],
  );
  if (failed[0]) throw new Error(`a job failed: ${failed[0].error_message}`);
}
