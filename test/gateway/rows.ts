import { createHash, randomUUID } from 'node:crypto';
import {
  DEFAULT_TENANT,
  type ErrorCode,
  initFileName,
  type ProblemDetails,
  type RenditionName,
  renditionPrefix,
  segmentFileName,
  type TenantFact,
} from '#contracts';
import { type FactInput, FactPublisher, recordFact } from '#events';
import { openDataSource } from '#persistence';
import { openStore } from '#storage';
import { type Stack, startStack } from '#testing';

export interface Upload {
  sessionId: string;
  jobId: string;
  assetId: string;
}

/** Gateways alone, and the hands of the other services: rows, objects and facts. */
export async function startGatewayAlone(env: Record<string, string> = {}, gateways = 1) {
  const stack = await startStack({
    services: { upload: 0, transcode: 0, 'segment-upload': 0, gateway: gateways },
    env: { PUBLIC_UPLOAD_URL: 'http://127.0.0.1:4101', ...env },
  });
  const database = await openDataSource({ databaseUrl: stack.databaseUrl, poolSize: 4, name: 'test' });
  const publisher = new FactPublisher(stack.redisUrl, 'test', database);
  const store = await openStore({ STORAGE_DRIVER: 'directory', STORAGE_DIR: stack.storageDir });
  const url = stack.urls.gateway;
  return {
    stack,
    /** Of each gateway. */
    urls: stack.processes.gateway.map((process) => process.url),
    database,
    store,
    url,
    get: (path: string, init: RequestInit = {}) => fetch(url + path, { redirect: 'error', ...init }),

    async insertUpload(share?: Pick<Upload, 'jobId' | 'assetId'>): Promise<Upload> {
      const upload = {
        sessionId: randomUUID(),
        jobId: share?.jobId ?? randomUUID(),
        assetId: share?.assetId ?? randomUUID(),
      };
      if (!share) {
        await database.query('INSERT INTO assets (id, tenant_id, profile) VALUES ($1, $2, $3)', [
          upload.assetId,
          DEFAULT_TENANT,
          'default',
        ]);
        await database.query('INSERT INTO jobs (id, tenant_id, asset_id) VALUES ($1, $2, $3)', [
          upload.jobId,
          DEFAULT_TENANT,
          upload.assetId,
        ]);
      }
      await database.query(
        `INSERT INTO upload_sessions (id, tenant_id, job_id, asset_id, filename, file_size, bytes_received, expires_at)
         VALUES ($1, $2, $3, $4, 'clip.mp4', 1000, 250, now() + interval '1 day')`,
        [upload.sessionId, DEFAULT_TENANT, upload.jobId, upload.assetId],
      );
      return upload;
    },

    async insertRendition(upload: Upload, name: RenditionName, inStartSet: boolean): Promise<string> {
      const id = randomUUID();
      const video = name !== 'audio';
      await database.query(
        `INSERT INTO renditions (id, tenant_id, job_id, asset_id, name, kind, mode, position, in_start_set, width,
           height, fps_num, fps_den, timescale, max_bitrate, target_duration, channels)
         VALUES ($1, $2, $3, $4, $5, $6, 'encode', $7, $8, $9, $10, $11, $12, 90000, $13, 5, $14)`,
        [
          id,
          DEFAULT_TENANT,
          upload.jobId,
          upload.assetId,
          name,
          video ? 'video' : 'audio',
          video ? 0 : 9,
          inStartSet,
          video ? 426 : null,
          video ? 240 : null,
          video ? 30 : null,
          video ? 1 : null,
          video ? 400_000 : 128_000,
          video ? null : 2,
        ],
      );
      return id;
    },

    async storeInit(upload: Upload, renditionId: string, name: RenditionName): Promise<string> {
      const body = Buffer.from(`init of ${name}`);
      const sha256 = digest(body);
      const key = renditionPrefix(upload.assetId, name) + initFileName(sha256);
      await store.put(key, body);
      await database.query(
        'UPDATE renditions SET init_key = $2, init_sha256 = $3, init_size = $4, codecs = $5 WHERE id = $1',
        [renditionId, key, sha256, body.length, name === 'audio' ? 'mp4a.40.2' : 'avc1.64001f'],
      );
      return key;
    },

    async storeSegment(
      upload: Upload,
      renditionId: string,
      name: RenditionName,
      index: number,
    ): Promise<string> {
      const body = Buffer.from(`segment ${index} of ${name}, some bytes`);
      const sha256 = digest(body);
      const key = renditionPrefix(upload.assetId, name) + segmentFileName(index, sha256);
      await store.put(key, body);
      await database.query(
        `INSERT INTO segments (rendition_id, segment_index, tenant_id, job_id, span_id, lease_number, start_ticks,
           duration_ticks, size, sha256, storage_path)
         VALUES ($1, $2, $3, $4, $5, 1, $6, 360000, $7, $8, $9)`,
        [
          renditionId,
          index,
          DEFAULT_TENANT,
          upload.jobId,
          randomUUID(),
          index * 360_000,
          body.length,
          sha256,
          key,
        ],
      );
      return key;
    },

    /** Commits the fact; `publish` is the other half. */
    record: (jobId: string, input: FactInput): Promise<TenantFact | null> =>
      database.transaction((manager) => recordFact(manager, jobId, input)),
    publish: (...facts: (TenantFact | null)[]) => publisher.publish(...facts),
    publisherIsReady: () => publisher.isReady(),

    async stop(): Promise<void> {
      publisher.close();
      await database.destroy();
      await stack.stop();
    },
  };
}

export type GatewayAlone = Awaited<ReturnType<typeof startGatewayAlone>>;
export type { Stack };

/** Status and code of an error answer. */
export async function problem(response: Response): Promise<[number, ErrorCode]> {
  return [response.status, ((await response.json()) as ProblemDetails).code];
}

export const digest = (body: Buffer) => createHash('sha256').update(body).digest('hex');
export const lastPart = (key: string) => key.slice(key.lastIndexOf('/') + 1);
