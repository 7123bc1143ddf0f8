import { Inject, Injectable } from '@nestjs/common';
import { type ErrorCode, SluiceError } from '#contracts';
import type { ServiceContext } from '#http';
import { count, forLog, type Logger, observe } from '#observability';
import type { SessionRow } from './sessions/session-row.js';
import { CONTEXT } from './settings.js';

const OUTCOMES = { failed: 'failed', cancelled: 'cancelled', expired: 'expired' } as const;

/** What became of uploads, for the log and for the metrics (S2-06, S3-14): here and nowhere else. */
@Injectable()
export class Journal {
  private readonly logger: Logger;

  constructor(@Inject(CONTEXT) context: ServiceContext) {
    this.logger = context.logger;
  }

  opened(session: SessionRow): void {
    count('sluice_uploads_started_total', {});
    this.logger.info(about(session), 'upload opened');
  }

  /** No session was opened: the name or the size is not one that we take. */
  refused(filename: string, error: unknown): void {
    const code: ErrorCode = error instanceof SluiceError ? error.code : 'internal';
    this.logger.info({ filename: forLog(filename), code }, 'upload refused');
  }

  /** The file was known, before its bytes were sent or after. */
  duplicate(session: SessionRow, where: 'creation' | 'completion'): void {
    if (where === 'creation') {
      count('sluice_uploads_started_total', {});
      count('sluice_uploads_total', { outcome: 'duplicate' });
    }
    count('sluice_dedup_hits_total', { where });
    this.logger.info({ ...about(session), where }, 'upload is a duplicate');
  }

  completed(session: SessionRow): void {
    count('sluice_uploads_total', { outcome: 'completed' });
    observe('sluice_upload_seconds', session.ageSeconds);
    this.logger.info(about(session), 'upload completed');
  }

  /** `before` tells whether an upload ended here, or what had been made of one that was complete. */
  ended(before: SessionRow, session: SessionRow): void {
    const outcome = OUTCOMES[session.status as keyof typeof OUTCOMES];
    if (before.status === 'active') count('sluice_uploads_total', { outcome });
    this.logger.info({ ...about(session), code: session.errorCode }, `upload ${outcome}`);
  }
}

const about = (session: SessionRow) => ({
  session_id: session.id,
  job_id: session.jobId,
  filename: forLog(session.filename),
  size: session.fileSize,
  bytes_received: session.bytesReceived,
  seconds: Math.round(session.ageSeconds * 1000) / 1000,
});
