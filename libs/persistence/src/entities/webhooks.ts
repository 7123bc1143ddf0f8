import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { DeliveryStatus, WebhookDisabledReason, WebhookEvent } from '#contracts';
import { Timestamps } from './timestamps.js';

@Entity('webhook_endpoints')
export class WebhookEndpoint extends Timestamps {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('text') url: string;
  @Column('text', { nullable: true }) description: string | null;
  @Column('text', { array: true }) events: WebhookEvent[];
  /** Sealed with a key of INTERNAL_SECRET. */
  @Column('text') secret: string;
  @Column('text', { name: 'previous_secret', nullable: true }) previousSecret: string | null;
  @Column('timestamptz', { name: 'previous_until', nullable: true }) previousUntil: Date | null;
  /** In a row, without a success between them. */
  @Column('integer', { default: 0 }) failures: number;
  @Column('timestamptz', { name: 'failing_since', nullable: true }) failingSince: Date | null;
  @Column('timestamptz', { name: 'disabled_at', nullable: true }) disabledAt: Date | null;
  @Column('text', { name: 'disabled_reason', nullable: true }) disabledReason: WebhookDisabledReason | null;
}

/** One message for one endpoint; it is written with its fact. */
@Entity('webhook_deliveries')
export class WebhookDelivery {
  @PrimaryColumn('uuid') id: string;
  /** In the order of their writing, for pages. */
  @Column('bigint') number: number;
  @Column('uuid', { name: 'endpoint_id' }) endpointId: string;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('uuid', { name: 'job_id', nullable: true }) jobId: string | null;
  @Column('text', { name: 'event_type' }) eventType: string;
  /** What is sent and signed, to the byte. */
  @Column('text') body: string;
  @Column('text', { default: 'pending' }) status: DeliveryStatus;
  @Column('integer', { default: 0 }) attempts: number;
  /** When it may be taken; a claim moves it to when the claim ends. */
  @Column('timestamptz', { name: 'due_at', default: () => 'now()' }) dueAt: Date;
  /** The hours of WEBHOOK_RETRY_HOURS and the pauses are counted from here. */
  @Column('timestamptz', { name: 'retry_from', default: () => 'now()' }) retryFrom: Date;
  @Column('timestamptz', { name: 'last_attempt_at', nullable: true }) lastAttemptAt: Date | null;
  @Column('smallint', { name: 'last_status', nullable: true }) lastStatus: number | null;
  @Column('text', { name: 'last_error', nullable: true }) lastError: string | null;
  @Column('timestamptz', { name: 'ended_at', nullable: true }) endedAt: Date | null;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
}
