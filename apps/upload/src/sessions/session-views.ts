import { Inject, Injectable } from '@nestjs/common';
import type { Reach, SessionData } from '#contracts';
import { Rows } from '../rows.js';
import { EndingService } from './ending.service.js';
import { type SessionRow, toSessionData } from './session-row.js';

/** Sessions as clients see them. */
@Injectable()
export class SessionViews {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(EndingService) private readonly ending: EndingService,
  ) {}

  /** Throws `session_not_found`. Looking at an overdue session ends it. */
  async byId(id: string, reach: Reach): Promise<SessionData> {
    const session = await this.rows.sessions.find(this.rows.manager, id, reach);
    return this.of(session.overdue ? await this.ending.expire(id) : session);
  }

  async of(session: SessionRow): Promise<SessionData> {
    const end = session.status === 'active' ? extent(session) : 0;
    const missing = end === 0 ? [] : await this.rows.chunks.missing(this.rows.manager, session.id, end);
    return toSessionData(session, missing);
  }
}

/** The file's end as far as it is known; while the last of equal chunks has not come, the most that it can be. */
function extent(session: SessionRow): number {
  if (session.fileSize !== null) return session.fileSize;
  return session.chunkSize !== null && session.totalChunks !== null
    ? session.chunkSize * session.totalChunks
    : 0;
}
