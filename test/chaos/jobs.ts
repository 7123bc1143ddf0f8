import { SluiceClient } from '#client';
import { fileSource } from '#client/node';
import type { Stack } from '#testing';
import { pause } from './backing.js';

const TRY_AGAIN_MS = 300;

/** What a client does that wants its file to arrive: it goes on with the session until that is complete. */
export async function uploadAnyhow(stack: Stack, file: string): Promise<string> {
  const client = new SluiceClient({ uploadUrl: stack.urls.upload });
  const source = await fileSource(file);
  let ids: { session_id: string; job_id: string | null } | undefined;
  for (;;) {
    try {
      const session = await client.upload(source, {
        parallel: 2,
        chunkSize: Math.ceil(source.size / 4),
        ...(ids ? { sessionId: ids.session_id } : {}),
        onSession: (opened) => {
          ids = opened;
        },
      });
      return session.job_id as string;
    } catch {
      await pause(TRY_AGAIN_MS);
    }
  }
}

/** Job, renditions and spans as rows tell of them, for the message of a job that did not end. */
export async function stateOf(stack: Stack, job: string): Promise<string> {
  const [row] = await stack.query(
    `SELECT j.status, j.stage, j.progress, j.source_complete, j.error_code, j.error_message,
       (SELECT json_agg(json_build_object('name', name, 'done', segments_completed, 'of', segments_total)) FROM renditions WHERE job_id = j.id) AS renditions,
       (SELECT json_agg(json_build_object('position', position, 'kind', kind, 'status', status, 'lease', lease_number,
          'attempts', attempts, 'deaths', unclean_deaths, 'params', params)) FROM spans WHERE job_id = j.id) AS spans
     FROM jobs j WHERE j.id = $1`,
    [job],
  );
  return JSON.stringify(row, null, 1);
}

/** What must hold of every job that has ended, however; each a sentence. */
export async function wrongWith(stack: Stack, job: string): Promise<string[]> {
  const problems: string[] = [];
  const [row] = await stack.query(
    `SELECT status, error_code, error_message,
       (SELECT count(*)::int FROM progress_events WHERE job_id = $1 AND type = 'processing_completed') AS completions,
       (SELECT count(*)::int FROM progress_events WHERE job_id = $1 AND type = 'processing_failed') AS failures,
       (SELECT count(*)::int FROM spans WHERE job_id = $1 AND status NOT IN ('done', 'failed', 'cancelled')) AS open
     FROM jobs WHERE id = $1`,
    [job],
  );
  if (!row) return ['there is no such job'];
  const failed = row.status === 'failed';
  if (failed && !(row.error_code && row.error_message)) problems.push('failed without a reason');
  if (row.completions !== (failed ? 0 : 1) || row.failures !== (failed ? 1 : 0))
    problems.push(`said ${row.completions} times to be completed and ${row.failures} times to have failed`);
  if (row.open !== 0) problems.push(`${row.open} spans are open`);
  if (failed) return problems;
  const uneven = await stack.query(
    `SELECT r.name, r.segments_completed AS counted, r.segments_total AS planned, count(s.*)::int AS stored
     FROM renditions r LEFT JOIN segments s ON s.rendition_id = r.id WHERE r.job_id = $1
     GROUP BY r.id HAVING count(s.*) <> r.segments_total OR r.segments_completed <> r.segments_total`,
    [job],
  );
  return [...problems, ...uneven.map((rendition) => JSON.stringify(rendition))];
}
