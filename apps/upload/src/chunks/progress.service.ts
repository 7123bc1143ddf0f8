import { percentOf } from '#contracts';
import { recordFact } from '#events';
import type { Logger } from '#observability';
import { Announcer } from '../announcer.js';
import type { Rows } from '../rows.js';
import type { SessionRow } from '../sessions/session-row.js';

const EVERY_MS = 500;
/** Sessions remembered at once; a forgotten one may send its next progress a little early. */
const REMEMBERED = 10_000;

/** `upload_progress`, at most twice a second per session and process. It is state, so a lost one does no harm. */
export class ProgressService {
  private readonly sentAt = new Map<string, number>();

  constructor(
    private readonly rows: Rows,
    private readonly announcer: Announcer,
    private readonly logger: Logger,
  ) {}

  /** Does not keep the chunk's answer waiting. */
  report(session: SessionRow): void {
    const now = Date.now();
    if (now - (this.sentAt.get(session.id) ?? 0) < EVERY_MS) return;
    this.sentAt.delete(session.id);
    this.sentAt.set(session.id, now);
    for (const oldest of this.sentAt.keys()) {
      if (this.sentAt.size <= REMEMBERED) break;
      this.sentAt.delete(oldest);
    }
    this.send(session).catch((error: unknown) =>
      this.logger.warn({ err: error, session_id: session.id }, 'progress not sent'),
    );
  }

  private async send(session: SessionRow): Promise<void> {
    const share = session.fileSize ? session.bytesReceived / session.fileSize : 0;
    const fact = await this.rows.transaction((manager) =>
      recordFact(manager, session.jobId, {
        type: 'upload_progress',
        durable: false,
        stage: 'uploading',
        progress: percentOf('uploading', share),
        bytesReceived: session.bytesReceived,
        bytesTotal: session.fileSize,
      }),
    );
    await this.announcer.publish(fact);
  }
}
