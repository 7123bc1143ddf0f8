import { type JobListQuery, SluiceError } from '#contracts';
import { isSeen, type Sight, sightValues } from './sight.js';

/** Where a page begins: behind this job. Microseconds since 1970, and the id for those of the same instant. */
export interface Cursor {
  at: string;
  id: string;
}

export const CURSOR_COLUMNS = '(extract(epoch FROM j.created_at) * 1000000)::bigint::text AS at, j.id';

const SHAPE = /^(\d{1,17})\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

export const writeCursor = ({ at, id }: Cursor): string => Buffer.from(`${at}.${id}`).toString('base64url');

export function readCursor(text: string): Cursor {
  const [, at, id] = SHAPE.exec(Buffer.from(text, 'base64url').toString('latin1')) ?? [];
  if (at === undefined || id === undefined)
    throw new SluiceError('validation_failed', 'cursor must be the next_cursor of another page.');
  return { at, id };
}

/** The text means itself in a LIKE pattern. */
const literally = (text: string) => text.replace(/[\\%_]/g, '\\$&');

/** The ids of a page and of one job more, newest first. A job that waits for another's work counts as far as that is. */
export function listQuery(query: JobListQuery, sight: Sight): { sql: string; values: unknown[] } {
  const values: unknown[] = sightValues(sight);
  const conditions = [isSeen('j', 1)];
  const add = (condition: (parameter: string) => string, value: unknown) => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  const ofSession = (condition: (parameter: string) => string) => (parameter: string) =>
    `EXISTS (SELECT 1 FROM upload_sessions s WHERE s.job_id = j.id AND ${condition(parameter)})`;
  add((p) => `COALESCE(w.status, j.status) = ANY(${p})`, query.status);
  add((p) => `COALESCE(w.stage, j.stage) = ANY(${p})`, query.stage);
  add((p) => `j.error_code = ANY(${p})`, query.code);
  add((p) => `j.priority = ${p}`, query.priority);
  add(
    ofSession((p) => `s.id = ${p}::uuid`),
    query.session_id,
  );
  add(
    ofSession((p) => `s.batch_id = ${p}::uuid`),
    query.batch_id,
  );
  add(
    ofSession((p) => `s.user_id = ${p}`),
    query.user_id,
  );
  add(
    ofSession((p) => `s.filename ILIKE ${p}`),
    query.filename && `%${literally(query.filename)}%`,
  );
  add((p) => `j.created_at >= ${p}::timestamptz`, query.created_after);
  add((p) => `j.created_at < ${p}::timestamptz`, query.created_before);
  if (query.cursor !== undefined) {
    const { at, id } = readCursor(query.cursor);
    values.push(at, id);
    const [instant, last] = [`$${values.length - 1}`, `$${values.length}`];
    conditions.push(
      `(j.created_at, j.id) < ('epoch'::timestamptz + ${instant}::bigint * interval '1 microsecond', ${last}::uuid)`,
    );
  }
  return {
    sql: `SELECT ${CURSOR_COLUMNS} FROM jobs j
      LEFT JOIN jobs w ON w.id = j.waits_for AND j.status IN ('pending', 'processing')
      WHERE ${conditions.join(' AND ')} ORDER BY j.created_at DESC, j.id DESC LIMIT ${query.limit + 1}`,
    values,
  };
}
