import { type Stack, waitFor } from '#testing';

/** The same as `waitFor`, with what became of the job's work where it does not come to pass. */
async function untilOf(
  stack: Stack,
  job: string,
  what: string,
  condition: () => Promise<boolean>,
): Promise<void> {
  try {
    await waitFor(condition, { what, timeoutMs: 60_000 });
  } catch (error) {
    const spans = await stack.query(
      `SELECT n.kind, n.position, n.status, n.released, n.bytes_to, n.attempts, j.status AS job, j.plan_from, j.plan_to,
         s.bytes_received, s.file_size FROM jobs j LEFT JOIN spans n ON n.job_id = j.id
       JOIN upload_sessions s ON s.job_id = j.id WHERE j.id = $1 ORDER BY n.position`,
      [job],
    );
    throw new Error(spans.map((span) => JSON.stringify(span)).join('\n'), { cause: error });
  }
}

/** Segments of every rendition are stored. */
export const untilStored = (stack: Stack, job: string, least = 1) =>
  untilOf(stack, job, 'segments of every rendition', async () => {
    const renditions = await stack.query(
      `SELECT count(g.segment_index)::integer AS stored FROM renditions r
       LEFT JOIN segments g ON g.rendition_id = r.id WHERE r.job_id = $1 GROUP BY r.id`,
      [job],
    );
    return renditions.length > 0 && renditions.every(({ stored }) => Number(stored) >= least);
  });

export const untilPlanned = (stack: Stack, job: string) =>
  untilOf(stack, job, 'a plan', async () => (await rowOf(stack, job)).plan !== null);

export const untilRunning = (stack: Stack, job: string) =>
  untilOf(stack, job, 'a span to run', async () => {
    const running = `SELECT 1 FROM spans WHERE job_id = $1 AND status = 'running'`;
    return (await stack.query(running, [job])).length > 0;
  });

export const rowOf = async (stack: Stack, job: string) =>
  (await stack.query('SELECT * FROM jobs WHERE id = $1', [job]))[0] ?? {};
