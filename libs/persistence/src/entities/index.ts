import { ApiKey } from './access.js';
import { Asset, Job, ProgressEvent } from './jobs.js';
import { Rendition, Segment } from './renditions.js';
import { UploadBatch, UploadChunk, UploadSession } from './uploads.js';
import { WebhookDelivery, WebhookEndpoint } from './webhooks.js';
import { FinishingTask, Span, WorkerRow } from './work.js';

export * from './access.js';
export * from './jobs.js';
export * from './renditions.js';
export * from './uploads.js';
export * from './webhooks.js';
export * from './work.js';

export const ENTITIES = [
  Asset,
  Job,
  UploadSession,
  UploadBatch,
  UploadChunk,
  Rendition,
  Span,
  FinishingTask,
  Segment,
  ProgressEvent,
  WorkerRow,
  ApiKey,
  WebhookEndpoint,
  WebhookDelivery,
];
