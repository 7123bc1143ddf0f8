import type { Environment } from '#config';
import type { Logger } from '#observability';
import type { DataSource } from '#persistence';
import type { QueueProducer } from '#queue';
import { enqueuePlanIfDue, releaseSpans } from '#work';
import { allThere, type SessionRow } from '../sessions/session-row.js';

/** Between looks for what the chunks of one session have made possible. */
const EVERY_MS = 100;

/**
 * Bytes have been confirmed: is there something that could begin now? Asked after the commit and beside
 * the answer to the client, one question at a time for a session; what is missed the reconciler finds.
 */
export class Arrivals {
  /** Jobs that are being asked for; `true`: more has come meanwhile. */
  private readonly asked = new Map<string, boolean>();

  constructor(
    private readonly database: DataSource,
    private readonly queues: QueueProducer,
    private readonly environment: Environment,
    private readonly logger: Logger,
  ) {}

  report(session: SessionRow): void {
    // A whole file is announced when it is completed, and without its size nobody can plan.
    if (session.fileSize === null || allThere(session)) return;
    const running = this.asked.has(session.jobId);
    this.asked.set(session.jobId, running);
    if (!running) void this.ask(session.jobId);
  }

  private async ask(jobId: string): Promise<void> {
    this.asked.set(jobId, false);
    const { manager } = this.database;
    try {
      await enqueuePlanIfDue(manager, this.queues, this.environment, jobId);
      await releaseSpans(manager, this.queues, jobId);
    } catch (error) {
      this.logger.warn({ err: error, job_id: jobId }, 'work not released; the reconciler will');
    }
    setTimeout(() => {
      if (this.asked.get(jobId)) void this.ask(jobId);
      else this.asked.delete(jobId);
    }, EVERY_MS).unref();
  }
}
