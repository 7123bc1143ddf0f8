/** SQL: true for a row of `workers` whose process has said within three of its heartbeats that it is there. */
export const WORKER_LIVES = `workers.heartbeat_at > now() - interval '15 seconds'`;

/**
 * SQL: false when processes that encode are there and none of them has, or may have, one of the encoders $1;
 * true when nobody knows.
 */
export const MAY_ENCODE = `SELECT COALESCE(bool_or(encoders IS NULL OR encoders && $1::text[]), true) AS able
  FROM workers WHERE service = 'transcode' AND ${WORKER_LIVES}`;
