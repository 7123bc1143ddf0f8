import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  FACTS_STREAM,
  type Fact,
  type RenditionName,
  type SegmentPayload,
  scratchPath,
  type TenantFact,
} from '#contracts';
import { createRedis, QueueProducer } from '#queue';
import { type Stack, startStack, waitFor } from '#testing';
import { StandInWorker } from './stand-in-worker.js';

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Bytes that begin like a segment and are like no other. */
export const segmentBytes = (type = 'styp', size = 2000): Buffer =>
  Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from(type), randomBytes(size)]);

export const TIMESCALE = 1000;
export const SEGMENT_TICKS = 4000;
const SECRET = 'the secret of this test, which is long enough';

export interface SceneJob {
  jobId: string;
  assetId: string;
  spanId: string;
  sessionId: string;
}

export interface JobOptions {
  renditions?: RenditionName[];
  /** Null: not known yet. */
  total?: number | null;
  lease?: number;
  sessionStatus?: string;
  sha256?: string;
}

/** segment-upload as a process, with rows, a stand-in worker and the queue in the hands of the test. */
export class Scene {
  private constructor(
    readonly stack: Stack,
    readonly worker: StandInWorker,
    readonly queues: QueueProducer,
  ) {}

  static async start(env: Record<string, string> = {}): Promise<Scene> {
    const stack = await startStack({
      services: { upload: 0, transcode: 0, gateway: 0 },
      env: { INTERNAL_SECRET: SECRET, ...env },
    });
    const worker = await StandInWorker.start(SECRET);
    await stack.query(`INSERT INTO workers (id, service, address) VALUES ('w1', 'transcode', $1)`, [
      worker.address,
    ]);
    return new Scene(stack, worker, new QueueProducer(stack.redisUrl, 'test'));
  }

  async stop(): Promise<void> {
    await this.queues.close();
    this.worker.stop();
    await this.stack.stop();
  }

  /** A job in processing with one running span over all its renditions. */
  async job(options: JobOptions = {}): Promise<SceneJob> {
    const { renditions = ['360p'], total = 2, lease = 1 } = options;
    const ids = { jobId: randomUUID(), assetId: randomUUID(), spanId: randomUUID(), sessionId: randomUUID() };
    const { query } = this.stack;
    await query(`INSERT INTO assets (id, tenant_id, profile, sha256) VALUES ($1, 'default', 'default', $2)`, [
      ids.assetId,
      options.sha256 ?? null,
    ]);
    await query(
      `INSERT INTO jobs (id, tenant_id, asset_id, status, stage, source_complete, plan)
       VALUES ($1, 'default', $2, 'processing', 'transcoding', true, '{}')`,
      [ids.jobId, ids.assetId],
    );
    await query(
      `INSERT INTO upload_sessions (id, tenant_id, job_id, asset_id, filename, status, expires_at)
       VALUES ($1, 'default', $2, $3, 'a.mp4', $4, now() + interval '1 day')`,
      [ids.sessionId, ids.jobId, ids.assetId, options.sessionStatus ?? 'completed'],
    );
    for (const [position, name] of renditions.entries()) {
      const audio = name === 'audio';
      await query(
        `INSERT INTO renditions (id, tenant_id, job_id, asset_id, name, kind, mode, position, in_start_set, width,
           height, fps_num, fps_den, timescale, max_bitrate, target_duration, language, channels, segments_total)
         VALUES (gen_random_uuid(), 'default', $1, $2, $3, $4, 'encode', $5, $6, $7, $8, $9, $10, $11, 800000, 4, $12, $13, $14)`,
        [
          ...[
            ids.jobId,
            ids.assetId,
            name,
            audio ? 'audio' : 'video',
            position,
            position > 0 || renditions.length === 1,
          ],
          ...(audio ? [null, null, null, null] : [640, 360, 25, 1]),
          ...[TIMESCALE, audio ? 'en' : null, audio ? 2 : null, total],
        ],
      );
    }
    await query(
      `INSERT INTO spans (id, tenant_id, job_id, kind, position, renditions, first_segment, segment_count, params,
         status, lease_owner, lease_number, lease_expires_at)
       VALUES ($1, 'default', $2, 'video', 0, $3, 0, $4, '{}', 'running', 'w1', $5, now() + interval '1 hour')`,
      [ids.spanId, ids.jobId, renditions, total, lease],
    );
    return ids;
  }

  /** Another job that shares the work of this one; answers with its id. */
  async waiting({ jobId, assetId }: SceneJob): Promise<string> {
    const id = randomUUID();
    await this.stack.query(
      `INSERT INTO jobs (id, tenant_id, asset_id, source_complete, waits_for) VALUES ($1, 'default', $2, true, $3)`,
      [id, assetId, jobId],
    );
    await this.stack.query('UPDATE assets SET refs = refs + 1 WHERE id = $1', [assetId]);
    return id;
  }

  /** Puts the bytes into the worker's scratch and answers with what announces them. */
  prepare(
    job: SceneJob,
    index: number,
    options: Partial<SegmentPayload> & { bytes?: Buffer } = {},
  ): SegmentPayload {
    const { bytes = segmentBytes(index < 0 ? 'ftyp' : 'styp'), ...changed } = options;
    const segment: SegmentPayload = {
      jobId: job.jobId,
      spanId: job.spanId,
      lease: 1,
      workerId: 'w1',
      rendition: '360p',
      index,
      sha256: sha256(bytes),
      size: bytes.length,
      start: Math.max(0, index) * SEGMENT_TICKS,
      duration: index < 0 ? 0 : SEGMENT_TICKS,
      ...(index < 0 ? { codecs: 'avc1.64001e', encoder: 'e'.repeat(64) } : {}),
      ...changed,
    };
    this.worker.files.set(this.path(segment), bytes);
    return segment;
  }

  path({ spanId, lease, rendition, index }: SegmentPayload): string {
    return scratchPath(spanId, lease, rendition, index);
  }

  /** Announces a segment and waits until the worker has been told what became of it. */
  async handOver(segment: SegmentPayload): Promise<string | null> {
    const before = this.worker.releases.length;
    await this.queues.enqueue('segment-upload', segment);
    const path = this.path(segment);
    const release = await waitFor(() => this.worker.releases.slice(before).find((one) => one.path === path), {
      what: `the worker to be told of ${path}`,
    });
    await this.idle('segment-upload');
    return release.refused;
  }

  /** Until the queue holds nothing that could run. */
  async idle(queue: 'segment-upload' | 'package' | 'cleanup'): Promise<void> {
    await waitFor(
      async () => {
        const counts = await this.queues
          .queue(queue)
          .getJobCounts('active', 'waiting', 'delayed', 'prioritized');
        return Object.values(counts).every((count) => count === 0);
      },
      { what: `the queue ${queue} to be idle` },
    );
  }

  /** Hands over init and all segments of every rendition. */
  async fill(job: SceneJob, renditions: RenditionName[] = ['360p'], total = 2): Promise<void> {
    for (const rendition of renditions) {
      const codecs = rendition === 'audio' ? 'mp4a.40.2' : 'avc1.64001e';
      await this.handOver(this.prepare(job, -1, { rendition, codecs }));
      for (let index = 0; index < total; index += 1)
        await this.handOver(this.prepare(job, index, { rendition }));
    }
  }

  /** Everything in the store below a folder, sorted, as paths from there. */
  async objects(folder: string): Promise<string[]> {
    const root = join(this.stack.storageDir, folder);
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
      .sort();
  }

  /** The facts of a job that were published so far, in order. */
  async facts(jobId: string): Promise<Fact[]> {
    const redis = createRedis(this.stack.redisUrl, 'producer', 'test');
    try {
      const entries = await redis.xrange(FACTS_STREAM, '-', '+');
      const facts = entries.map(([, fields]) => (JSON.parse(fields.at(-1) ?? '{}') as TenantFact).fact);
      return facts.filter((fact) => fact.job_id === jobId);
    } finally {
      redis.disconnect();
    }
  }

  async one(sql: string, values: unknown[]): Promise<Record<string, unknown>> {
    return (await this.stack.query(sql, values))[0] ?? {};
  }
}
