import { Inject, Injectable } from '@nestjs/common';
import type { PlaybackSigner } from '#access';
import type { Fact } from '#contracts';
import type { Database } from '../resources.js';
import { DATABASE, SIGNER } from '../tokens.js';
import type { Newest } from './feed.js';

/** Jobs of which a tenant's clients are told the newest progress when they come. */
const JOBS_AT_ONCE = 500;

interface Row {
  payload: Fact;
  position: number | null;
}

/** The record: what the stream brings sooner, and may lose. */
@Injectable()
export class FactRows {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(SIGNER) private readonly signer: PlaybackSigner,
  ) {}

  /** Durable facts of a job above a number. */
  async ofJob(jobId: string, after: number, limit: number): Promise<Fact[]> {
    const rows = await this.database.query<Row[]>(
      `SELECT payload, position FROM progress_events WHERE job_id = $1 AND seq > $2 AND durable
       ORDER BY seq LIMIT $3`,
      [jobId, after, limit],
    );
    return rows.map(this.toFact);
  }

  /** The newest stored progress of a job, if nothing durable has come after it. */
  async progressOfJob(jobId: string): Promise<Fact[]> {
    const rows = await this.database.query<(Row & { durable: boolean })[]>(
      `SELECT payload, position, durable FROM progress_events WHERE job_id = $1
       ORDER BY seq DESC LIMIT 1`,
      [jobId],
    );
    return rows.filter(({ durable }) => !durable).map(this.toFact);
  }

  /** The number of a job's newest durable fact at or below a position; 0 before the first. */
  async numberAt(jobId: string, position: number): Promise<number> {
    const [row] = await this.database.query<{ seq: number }[]>(
      'SELECT COALESCE(max(seq), 0) AS seq FROM progress_events WHERE job_id = $1 AND position <= $2',
      [jobId, position],
    );
    return row?.seq ?? 0;
  }

  /** A job's newest durable fact at or below a number; 0 before the first. */
  async newestAt(jobId: string, seq: number): Promise<{ position: number; seq: number }> {
    const [row] = await this.database.query<{ position: number; seq: number }[]>(
      `SELECT position, seq FROM progress_events WHERE job_id = $1 AND seq <= $2 AND durable
       ORDER BY seq DESC LIMIT 1`,
      [jobId, seq],
    );
    return row ?? { position: 0, seq: 0 };
  }

  /** Of the newest durable fact of a tenant. */
  async positionOf(tenantId: string): Promise<number> {
    const [row] = await this.database.query<{ last: number }[]>(
      'SELECT last FROM fact_positions WHERE tenant_id = $1',
      [tenantId],
    );
    return row?.last ?? 0;
  }

  /** Durable facts of a tenant above a position; `users`: whose of `people` the job is. */
  async ofTenant(
    tenantId: string,
    after: number,
    { only, people, limit }: { only: string | null; people: string[]; limit: number },
  ): Promise<{ fact: Fact; users: string[] }[]> {
    const rows = await this.database.query<(Row & { users: string[] })[]>(
      `SELECT e.payload, e.position, CASE WHEN cardinality($4::text[]) = 0 THEN '{}' ELSE ARRAY(
         SELECT DISTINCT s.user_id FROM upload_sessions s WHERE s.job_id = e.job_id AND s.user_id = ANY ($4)) END AS users
       FROM progress_events e WHERE e.tenant_id = $1 AND e.position > $2
         AND ($3::text IS NULL OR EXISTS (
           SELECT 1 FROM upload_sessions s WHERE s.job_id = e.job_id AND s.user_id = $3))
       ORDER BY e.position LIMIT $5`,
      [tenantId, after, only, people, limit],
    );
    return rows.map((row) => ({ fact: this.toFact(row), users: row.users }));
  }

  /**
   * The newest stored progress of each open job that has said nothing durable since, and the position that it
   * belongs to. Jobs at work are few; of those that wait, which may be very many, the newest.
   */
  async progressOfTenant(tenantId: string, userId: string | null): Promise<Newest> {
    const open = (
      status: string,
    ) => `SELECT id FROM (SELECT j.id FROM jobs j WHERE j.tenant_id = $1 AND j.status = '${status}' AND ($2::text IS NULL OR j.id IN (
        SELECT s.job_id FROM upload_sessions s WHERE s.tenant_id = $1 AND s.user_id = $2))
      ORDER BY j.created_at DESC LIMIT ${JOBS_AT_ONCE}) AS ${status}`;
    const rows = await this.database.query<{ payload: Fact | null; last: number | null }[]>(
      `SELECT e.payload, p.last FROM (SELECT 1) AS one
       LEFT JOIN fact_positions p ON p.tenant_id = $1
       LEFT JOIN (SELECT e.payload FROM (${open('processing')} UNION ALL ${open('pending')}) AS j
         CROSS JOIN LATERAL (SELECT payload, durable FROM progress_events
           WHERE job_id = j.id ORDER BY seq DESC LIMIT 1) AS e
         WHERE NOT e.durable LIMIT ${JOBS_AT_ONCE}) AS e ON true`,
      [tenantId, userId],
    );
    const facts = rows.flatMap(({ payload }) => (payload ? [this.toFact({ payload, position: null })] : []));
    return { facts, upTo: rows[0]?.last ?? 0 };
  }

  async openJobsOf(tenantId: string, userId: string): Promise<string[]> {
    const rows = await this.database.query<{ id: string }[]>(
      `SELECT DISTINCT j.id FROM upload_sessions s JOIN jobs j ON j.id = s.job_id
       WHERE s.tenant_id = $1 AND s.user_id = $2 AND j.status IN ('pending', 'processing')`,
      [tenantId, userId],
    );
    return rows.map(({ id }) => id);
  }

  /** Those of these jobs that have had a durable fact above their number for a second. */
  async jobsBehind(heads: { jobId: string; head: number }[]): Promise<string[]> {
    const rows = await this.database.query<{ job_id: string }[]>(
      `SELECT w.job_id FROM unnest($1::uuid[], $2::bigint[]) AS w (job_id, head)
       WHERE EXISTS (SELECT 1 FROM progress_events e WHERE e.job_id = w.job_id AND e.seq > w.head
         AND e.durable AND e.created_at < now() - interval '1 second')`,
      [heads.map(({ jobId }) => jobId), heads.map(({ head }) => head)],
    );
    return rows.map(({ job_id }) => job_id);
  }

  /** Those of these jobs that are no more. */
  async jobsGone(jobIds: string[]): Promise<string[]> {
    const rows = await this.database.query<{ job_id: string }[]>(
      `SELECT w.job_id FROM unnest($1::uuid[]) AS w (job_id)
       WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = w.job_id)`,
      [jobIds],
    );
    return rows.map(({ job_id }) => job_id);
  }

  async tenantsBehind(heads: { tenantId: string; head: number }[]): Promise<string[]> {
    const rows = await this.database.query<{ tenant_id: string }[]>(
      `SELECT p.tenant_id FROM unnest($1::text[], $2::bigint[]) AS w (tenant_id, head)
       JOIN fact_positions p ON p.tenant_id = w.tenant_id AND p.last > w.head`,
      [heads.map(({ tenantId }) => tenantId), heads.map(({ head }) => head)],
    );
    return rows.map(({ tenant_id }) => tenant_id);
  }

  private readonly toFact = ({ payload, position }: Row): Fact => {
    const fact = this.signer.sign(payload);
    return position === null ? fact : { ...fact, id: String(position) };
  };
}
