/**
 * SQL: true when the chunks of `session` (an expression) cover `[from, to)`. Chunks of a session never
 * overlap, so that their parts within the range add up to its length, or something is missing.
 */
export const covers = (session: string, from: string, to: string): string =>
  `(SELECT COALESCE(sum(LEAST(c.byte_offset + c.size, ${to}) - GREATEST(c.byte_offset, ${from})), 0)
     FROM upload_chunks c WHERE c.session_id = ${session} AND c.byte_offset < ${to} AND c.byte_offset + c.size > ${from})
   >= ${to} - ${from}`;
