import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import { type OutputChoice, percentOf, readProfileKey, type TenantFact } from '#contracts';
import { failJob, type JobFault, recordFact } from '#events';
import type { Plan } from '#media';
import type { DataSource, EntityManager } from '#persistence';
import { dueJobs, nextTurn, noteTurns } from '#work';
import type { Extension } from '../spans/lease.js';
import { DATA_SOURCE, ENVIRONMENT } from '../tokens.js';
import { insertSpans } from './span-rows.js';

export interface PlanClaim {
  jobId: string;
  tenantId: string;
  assetId: string;
  lease: number;
  /** The source's own pictures turned out not to be fit to be served. */
  copyDenied: string | null;
  /** What the uploads that share the asset want made of it. */
  choice: OutputChoice;
  profile: string;
  /** Encoders that it is no longer planned with. */
  encodersDenied: string[];
}

interface ClaimedRow {
  tenant_id: string;
  asset_id: string;
  plan_lease: number;
  copy_denied: string | null;
  profile: string;
  encoders_denied: string[];
}

/** Any fixed number: who claims a job counts the places meanwhile. */
const PLACES_LOCK = 7_351_991;

/** The rows that a plan makes: all of them in one transaction, or none. */
@Injectable()
export class PlanRepository {
  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(ENVIRONMENT) private readonly environment: Environment,
  ) {}

  /**
   * Takes one of the places of the deployment, when there is a free one and nobody's turn comes before. Under
   * one lock, so that two that claim at once see each other. Null: it is not this job's turn, or there is
   * nothing to plan, or another worker is at it.
   */
  async claim(jobId: string, leaseSeconds: number): Promise<PlanClaim | null> {
    const rows = await this.dataSource.transaction(async (manager) => {
      await manager.query('SELECT pg_advisory_xact_lock($1)', [PLACES_LOCK]);
      return (await manager.query(
        `WITH claimed AS (
           UPDATE jobs SET plan_lease = plan_lease + 1, plan_lease_expires_at = now() + $2 * interval '1 second'
           WHERE id = $1 AND id IN (SELECT id FROM (${dueJobs(this.environment)}) AS due)
           RETURNING tenant_id, priority, asset_id, plan_lease, copy_denied, encoders_denied,
             (SELECT profile FROM assets WHERE id = asset_id) AS profile),
         turn AS (${noteTurns('claimed')})
         SELECT * FROM claimed`,
        [jobId, leaseSeconds],
      )) as ClaimedRow[];
    });
    const row = rows[0];
    return row
      ? {
          jobId,
          tenantId: row.tenant_id,
          assetId: row.asset_id,
          lease: row.plan_lease,
          copyDenied: row.copy_denied,
          ...readProfileKey(row.profile),
          encodersDenied: row.encoders_denied,
        }
      : null;
  }

  /** Another worker plans it, or has failed to do so a moment ago. */
  async isTriedElsewhere(jobId: string): Promise<boolean> {
    const rows = (await this.dataSource.query(
      `SELECT 1 FROM jobs WHERE id = $1 AND status = 'pending'
         AND (plan_lease_expires_at > now() OR plan_after > now())`,
      [jobId],
    )) as unknown[];
    return rows.length > 0;
  }

  async extend(claim: PlanClaim, leaseSeconds: number): Promise<Extension> {
    const [rows] = (await this.dataSource.query(
      `UPDATE jobs SET plan_lease_expires_at = CASE WHEN status = 'pending' AND plan_lease = $2
         THEN now() + $3 * interval '1 second' ELSE plan_lease_expires_at END
       WHERE id = $1 RETURNING status, plan_lease`,
      [claim.jobId, claim.lease, leaseSeconds],
    )) as [{ status: string; plan_lease: number }[], number];
    if (rows[0]?.status !== 'pending') return 'ended';
    return rows[0].plan_lease === claim.lease ? 'held' : 'lost';
  }

  /** Lets another try begin at once, or after so many seconds, and others before it meanwhile. */
  async release(claim: PlanClaim, seconds: number): Promise<void> {
    await this.dataSource.query(
      `UPDATE jobs SET plan_lease_expires_at = NULL, plan_after = now() + $3 * interval '1 second'
       WHERE id = $1 AND plan_lease = $2`,
      [claim.jobId, claim.lease, seconds],
    );
  }

  /** The same, once these bytes have arrived. */
  async waitFor(claim: PlanClaim, { from, to }: { from: number; to: number }): Promise<void> {
    await this.dataSource.query(
      `UPDATE jobs SET plan_lease_expires_at = NULL, plan_from = $3, plan_to = $4
       WHERE id = $1 AND plan_lease = $2 AND status = 'pending'`,
      [claim.jobId, claim.lease, from, to],
    );
  }

  /** `pending → processing` with renditions and spans. Null when the claim is no longer ours. */
  async store(claim: PlanClaim, plan: Plan): Promise<{ fact: TenantFact | null } | null> {
    return this.dataSource.transaction(async (manager) => {
      const [rows] = (await manager.query(
        `UPDATE jobs SET status = 'processing', plan = $3, plan_lease_expires_at = NULL, updated_at = now(),
           turn = ${nextTurn('jobs.priority')}
         WHERE id = $1 AND plan_lease = $2 AND status = 'pending' RETURNING 1`,
        [claim.jobId, claim.lease, JSON.stringify(plan)],
      )) as [unknown[], number];
      if (rows.length === 0) return null;
      await insertRenditions(manager, claim, plan);
      await insertSpans(manager, claim, plan.spans);
      if (this.environment.POSTER === 'true') await insertPoster(manager, claim);
      const fact = await recordFact(manager, claim.jobId, {
        type: 'processing_initiated',
        durable: true,
        stage: 'transcoding',
        progress: percentOf('transcoding'),
        message: 'The video is being converted.',
        renditions: plan.renditions.map((r) => ({
          name: r.name,
          kind: r.kind,
          mode: r.mode,
          width: r.width,
          height: r.height,
          segments_completed: 0,
          segments_total: segmentsOf(plan, r),
        })),
      });
      return { fact };
    });
  }

  async fail(claim: PlanClaim, failure: JobFault) {
    return this.dataSource.transaction(async (manager) => {
      const rows = (await manager.query('SELECT 1 FROM jobs WHERE id = $1 AND plan_lease = $2 FOR UPDATE', [
        claim.jobId,
        claim.lease,
      ])) as unknown[];
      return rows.length === 0 ? null : failJob(manager, claim.jobId, failure);
    });
  }
}

async function insertRenditions(manager: EntityManager, claim: PlanClaim, plan: Plan): Promise<void> {
  const rows = plan.renditions.map((r, position) => ({
    id: randomUUID(),
    name: r.name,
    kind: r.kind,
    mode: r.mode,
    position,
    in_start_set: r.inStartSet,
    width: r.width,
    height: r.height,
    fps_num: r.kind === 'video' ? plan.grid.fps.num : null,
    fps_den: r.kind === 'video' ? plan.grid.fps.den : null,
    timescale: r.timescale,
    max_bitrate: r.maxBitrate,
    target_duration: r.targetDuration,
    language: r.language,
    title: r.title,
    role: r.role,
    is_default: r.isDefault,
    channels: r.channels,
    segments_total: segmentsOf(plan, r),
    ts: r.ts ?? null,
  }));
  await manager.query(
    `INSERT INTO renditions (id, tenant_id, job_id, asset_id, name, kind, mode, position, in_start_set, width, height,
       fps_num, fps_den, timescale, max_bitrate, target_duration, language, title, role, is_default, channels, segments_total, ts)
     SELECT id, $1, $2, $3, name, kind, mode, position, in_start_set, width, height, fps_num, fps_den, timescale,
       max_bitrate, target_duration, language, title, role, is_default, channels, segments_total, ts
     FROM jsonb_to_recordset($4::jsonb) AS r(id uuid, name text, kind text, mode text, position smallint, in_start_set boolean,
       width integer, height integer, fps_num integer, fps_den integer, timescale integer, max_bitrate integer,
       target_duration integer, language text, title text, role text, is_default boolean, channels smallint, segments_total integer, ts boolean)`,
    [claim.tenantId, claim.jobId, claim.assetId, JSON.stringify(rows)],
  );
}

/** Due when its segment is stored (finishing-queue.ts); the other finishing tasks come with the playlists. */
async function insertPoster(manager: EntityManager, { tenantId, jobId }: PlanClaim): Promise<void> {
  await manager.query(
    `INSERT INTO finishing_tasks (tenant_id, job_id, kind) VALUES ($1, $2, 'poster') ON CONFLICT DO NOTHING`,
    [tenantId, jobId],
  );
}

/** Unknown until the source has ended; a track of text is one segment in any case. */
const segmentsOf = (plan: Plan, { kind, segments }: Plan['renditions'][number]) =>
  plan.isOpen && kind !== 'subtitles' ? null : segments;
