import 'reflect-metadata';
import {
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import type { EventType } from './events.js';

/** Durable facts that an endpoint may choose; state, such as the percent of an upload, is not sent. */
export const WEBHOOK_EVENTS = [
  'upload_started',
  'upload_completed',
  'upload_failed',
  'processing_initiated',
  'processing_progress',
  'processing_completed',
  'processing_failed',
  'duplicate_detected',
  'session_expired',
] as const satisfies readonly EventType[];
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** What `POST …/test` sends; nobody subscribes to it. */
export const WEBHOOK_TEST_EVENT = 'webhook_test';

export const MAX_WEBHOOKS_PER_TENANT = 20;

const DESCRIPTION = /^[^\p{C}\p{Zl}\p{Zp}]{1,255}$/u;
const NO_DESCRIPTION = {
  message: 'description must have 1 to 255 characters, none of them a control or invisible one',
};
const NO_EVENTS = { each: true, message: `events must be some of ${WEBHOOK_EVENTS.join(', ')}` };

/** Some of them, each once; may be left out. */
const ChosenEvents = (): PropertyDecorator => (target, name) => {
  for (const rule of [
    IsOptional(),
    IsArray(),
    ArrayMinSize(1),
    ArrayUnique(),
    IsIn(WEBHOOK_EVENTS, NO_EVENTS),
  ])
    rule(target, name);
};

/** `POST /v1/webhooks` */
export class CreateWebhookRequest {
  @IsString() @MaxLength(2048) url: string;
  /** All where nothing is said. */
  @ChosenEvents() events?: WebhookEvent[];
  @IsOptional() @Matches(DESCRIPTION, NO_DESCRIPTION) description?: string | null;
}

/** `PATCH /v1/webhooks/{id}`: what is not named stays. */
export class UpdateWebhookRequest {
  @IsOptional() @IsString() @MaxLength(2048) url?: string;
  @ChosenEvents() events?: WebhookEvent[];
  @IsOptional() @Matches(DESCRIPTION, NO_DESCRIPTION) description?: string | null;
  @IsOptional() @IsBoolean() enabled?: boolean;
}

/** `POST /v1/webhooks/{id}/secret` */
export class RotateSecretRequest {
  /** So long messages are signed with the old secret, too; 24 where nothing is said. */
  @IsOptional() @IsInt() @Min(0) @Max(168) overlap_hours?: number;
}

export const WEBHOOK_DISABLED_REASONS = ['asked', 'failing', 'gone'] as const;
/** `asked`: by its owner; `failing`: nothing was taken for WEBHOOK_DISABLE_DAYS; `gone`: it answered 410. */
export type WebhookDisabledReason = (typeof WEBHOOK_DISABLED_REASONS)[number];

export interface WebhookData {
  id: string;
  url: string;
  description: string | null;
  events: WebhookEvent[];
  enabled: boolean;
  disabled_reason: WebhookDisabledReason | null;
  disabled_at: string | null;
  /** Since when every attempt has failed; null: the last one succeeded, or there was none. */
  failing_since: string | null;
  /** Until when messages are signed with the secret before this one, too. */
  previous_secret_until: string | null;
  created_at: string;
  updated_at: string;
}

/** The secret is told once: when it is made. */
export interface WebhookSecretData extends WebhookData {
  /** `whsec_` and 32 bytes in base64. */
  secret: string;
}

export const DELIVERY_STATUSES = ['pending', 'delivered', 'failed'] as const;
/** `failed`: given up, a dead letter that can be sent again. */
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

export interface WebhookDeliveryData {
  /** The `webhook-id` of every attempt. */
  id: string;
  webhook_id: string;
  event_type: WebhookEvent | typeof WEBHOOK_TEST_EVENT;
  job_id: string | null;
  status: DeliveryStatus;
  attempts: number;
  created_at: string;
  last_attempt_at: string | null;
  /** Of a pending one; while an attempt runs, when it is given to another process. */
  next_attempt_at: string | null;
  /** HTTP status of the last attempt; null: there was no answer. */
  last_status: number | null;
  /** Why the last attempt failed, in a sentence. */
  last_error: string | null;
}

export interface WebhookDeliveryPage {
  /** The newest first. */
  deliveries: WebhookDeliveryData[];
  /** For `cursor` of the next page; null: there is none. */
  next_cursor: string | null;
}

/** The body of every message. */
export interface WebhookMessage {
  type: WebhookEvent | typeof WEBHOOK_TEST_EVENT;
  /** When it happened, ISO 8601. */
  timestamp: string;
  /** The fact (docs/contracts.md, Events). */
  data: object;
}
