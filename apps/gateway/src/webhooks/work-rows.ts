import { Inject, Injectable } from '@nestjs/common';
import type { WebhookDisabledReason } from '#contracts';
import type { ServiceContext } from '#http';
import type { Database } from '../resources.js';
import { CONTEXT, DATABASE } from '../tokens.js';
import { FAILURES_OF_A_BAD_ONE } from './patience.js';
import type { Outcome } from './sender.js';

/** A claim ends so long after the attempt must have. */
const CLAIM_MARGIN_SECONDS = 5;
const AT_MOST = 1000;

export interface Claim {
  id: string;
  endpoint_id: string;
  /** Number of this attempt: a later one's failure is not overwritten. */
  attempts: number;
  body: string;
  url: string;
  secret: string;
  previous_secret: string | null;
  /** Of the endpoint, in a row, before this attempt. */
  failures: number;
  /** Since retries are counted. */
  elapsed: number;
  /** Others are due, too. */
  more: boolean;
}

const DUE = `endpoint_id = $1 AND status = 'pending' AND due_at <= now()`;

/** Messages as work: who takes one, what becomes of it, what nobody works at any more. All times are the database's. */
@Injectable()
export class WorkRows {
  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(DATABASE) private readonly database: Database,
  ) {}

  /**
   * Takes the message of an endpoint that has been due for longest. Taking it moves its time to when the
   * claim ends, so a death in the attempt makes it due again, and nothing else must be remembered.
   */
  async claim(endpointId: string, lane: number): Promise<Claim | null> {
    const seconds = this.context.environment.WEBHOOK_TIMEOUT_SECONDS + CLAIM_MARGIN_SECONDS;
    const [rows] = await this.database.query<[Claim[], number]>(
      `UPDATE webhook_deliveries d SET attempts = attempts + 1, last_attempt_at = now(),
         due_at = now() + $3 * interval '1 second'
       FROM webhook_endpoints e
       WHERE e.id = $1 AND e.disabled_at IS NULL AND ($2 = 0 OR e.failures < ${FAILURES_OF_A_BAD_ONE})
         AND d.id = (SELECT id FROM webhook_deliveries WHERE ${DUE}
           ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
       RETURNING d.id, d.endpoint_id, d.attempts, d.body, e.url, e.secret, e.failures,
         CASE WHEN e.previous_until > now() THEN e.previous_secret END AS previous_secret,
         extract(epoch FROM now() - d.retry_from)::double precision AS elapsed,
         EXISTS (SELECT 1 FROM webhook_deliveries o WHERE ${DUE} AND o.id <> d.id) AS more`,
      [endpointId, lane, seconds],
    );
    return rows[0] ?? null;
  }

  /** Also when the claim had ended: it has arrived. */
  async succeed({ id }: Claim, { status }: Outcome): Promise<void> {
    await this.database.query(
      `WITH done AS (
         UPDATE webhook_deliveries SET status = 'delivered', ended_at = now(), last_status = $2, last_error = NULL
         WHERE id = $1 RETURNING endpoint_id)
       UPDATE webhook_endpoints e SET failures = 0, failing_since = NULL FROM done
       WHERE e.id = done.endpoint_id AND e.failures > 0`,
      [id, status],
    );
  }

  /** `pause` in seconds; null: this was the last attempt. Answers why the endpoint is disabled from now on, if it is. */
  async fail(
    { id, attempts }: Claim,
    { status, error }: Outcome,
    pause: number | null,
  ): Promise<WebhookDisabledReason | null> {
    const gone = status === 410;
    const [rows] = await this.database.query<[{ disabled_reason: WebhookDisabledReason }[], number]>(
      `WITH failed AS (
         UPDATE webhook_deliveries SET last_status = $3, last_error = $4,
           status = CASE WHEN $5::double precision IS NULL THEN 'failed' ELSE 'pending' END,
           ended_at = CASE WHEN $5::double precision IS NULL THEN now() END,
           due_at = now() + COALESCE($5::double precision, 0) * interval '1 second'
         WHERE id = $1 AND attempts = $2 AND status = 'pending' RETURNING endpoint_id),
       was AS (SELECT e.id, e.disabled_at FROM webhook_endpoints e JOIN failed ON e.id = failed.endpoint_id
         FOR UPDATE OF e)
       UPDATE webhook_endpoints e SET failures = e.failures + 1,
         failing_since = COALESCE(e.failing_since, now()),
         disabled_at = CASE WHEN $6 OR e.failing_since < now() - $7 * interval '1 day'
           THEN COALESCE(e.disabled_at, now()) ELSE e.disabled_at END,
         disabled_reason = CASE WHEN e.disabled_at IS NOT NULL THEN e.disabled_reason WHEN $6 THEN 'gone'
           WHEN e.failing_since < now() - $7 * interval '1 day' THEN 'failing' END
       FROM was WHERE e.id = was.id
       RETURNING CASE WHEN was.disabled_at IS NULL THEN e.disabled_reason END AS disabled_reason`,
      [id, attempts, status, error, pause, gone, this.context.environment.WEBHOOK_DISABLE_DAYS],
    );
    return rows[0]?.disabled_reason ?? null;
  }

  /** Gives a message back whose attempt was cut short: nobody knows what the receiver has seen. */
  async giveBack({ id, attempts }: Claim): Promise<void> {
    await this.database.query(
      `UPDATE webhook_deliveries SET due_at = now() WHERE id = $1 AND attempts = $2 AND status = 'pending'`,
      [id, attempts],
    );
  }

  /** Endpoints for which something is due. */
  async due(): Promise<string[]> {
    const rows = await this.database.query<{ id: string }[]>(
      `SELECT id FROM webhook_endpoints e WHERE disabled_at IS NULL AND EXISTS (
         SELECT 1 FROM webhook_deliveries WHERE endpoint_id = e.id AND status = 'pending' AND due_at <= now())`,
    );
    return rows.map(({ id }) => id);
  }

  /** Gives up what waits for a disabled endpoint beyond its time, and forgets what has ended, or whose endpoint is gone. */
  async sweep(): Promise<void> {
    const { WEBHOOK_RETRY_HOURS, WEBHOOK_RETENTION_DAYS } = this.context.environment;
    const oldest = (where: string) =>
      `id IN (SELECT d.id FROM webhook_deliveries d LEFT JOIN webhook_endpoints e ON e.id = d.endpoint_id
         WHERE ${where} LIMIT ${AT_MOST})`;
    await this.database.query(
      `UPDATE webhook_deliveries SET status = 'failed', ended_at = now(), last_error = 'The webhook is disabled.'
       WHERE ${oldest(`d.status = 'pending' AND e.disabled_at IS NOT NULL AND d.retry_from < now() - $1 * interval '1 hour'`)}`,
      [WEBHOOK_RETRY_HOURS],
    );
    await this.database.query(
      `DELETE FROM webhook_deliveries WHERE ${oldest(`d.status <> 'pending' AND d.ended_at < now() - $1 * interval '1 day'`)}`,
      [WEBHOOK_RETENTION_DAYS],
    );
    await this.database.query(
      `DELETE FROM webhook_deliveries WHERE ${oldest(`d.status = 'pending' AND e.id IS NULL`)}`,
    );
  }
}
