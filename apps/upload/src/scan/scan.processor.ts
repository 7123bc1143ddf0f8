import { Inject, Injectable } from '@nestjs/common';
import type { ErrorCode } from '#contracts';
import type { ServiceContext } from '#http';
import { count, observe } from '#observability';
import type { Handler } from '#queue';
import { Announcer } from '../announcer.js';
import { SourceReader } from '../chunks/source-reader.js';
import { CONTEXT } from '../settings.js';
import { type ClamdAddress, scanStream, type Verdict } from './clamd.js';
import { type DueScan, ScanRows } from './scan-rows.js';

/** A quarter of the time that a file has waited, within these. */
const BACKOFF = { part: 0.25, leastMs: 500, mostMs: 60_000 };

/**
 * Consumer of `scan` (S3-09). A scanner that fails lets nothing through: the job waits, is tried again,
 * and fails when its patience is over. Killed anywhere, the scan begins anew.
 */
@Injectable()
export class ScanProcessor {
  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(ScanRows) private readonly rows: ScanRows,
    @Inject(SourceReader) private readonly source: SourceReader,
    @Inject(Announcer) private readonly announcer: Announcer,
  ) {}

  readonly process: Handler<'scan'> = async ({ jobId }, { signal }) => {
    const due = await this.rows.due(jobId);
    if (!due) return undefined;
    let verdict: Verdict;
    try {
      verdict = await this.scan(due, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      return this.postpone(due, error);
    }
    count('sluice_scans_total', { result: verdict.clean ? 'clean' : 'malware' });
    if (verdict.clean) await this.letGo(due);
    else {
      const { signature } = verdict;
      this.context.logger.warn({ job_id: jobId, session_id: due.sessionId, signature }, 'malware found');
      await this.refuse(
        due,
        'malware_found',
        `The virus scanner found ${signature} in this file; it was deleted.`,
      );
    }
    return undefined;
  };

  private async scan({ sessionId }: DueScan, signal: AbortSignal): Promise<Verdict> {
    const { SCAN_MAX_BYTES, SCAN_TIMEOUT_SECONDS } = this.context.environment;
    const startedAt = performance.now();
    const verdict = await scanStream(this.address(), this.source.bytes(sessionId, signal), {
      maxBytes: SCAN_MAX_BYTES,
      timeoutMs: SCAN_TIMEOUT_SECONDS * 1000,
      signal,
    });
    observe('sluice_scan_seconds', (performance.now() - startedAt) / 1000);
    return verdict;
  }

  private address(): ClamdAddress {
    const { CLAMD_SOCKET, CLAMD_HOST, CLAMD_PORT } = this.context.environment;
    return CLAMD_SOCKET === '' ? { host: CLAMD_HOST, port: CLAMD_PORT } : { path: CLAMD_SOCKET };
  }

  private async letGo({ jobId, priority }: DueScan): Promise<void> {
    if (!(await this.rows.letGo(jobId))) return;
    await this.announcer.scanned(jobId, priority);
  }

  private async postpone(due: DueScan, error: unknown): Promise<{ retryInMs: number } | undefined> {
    const { logger, environment } = this.context;
    logger.warn({ err: error, job_id: due.jobId }, 'a file could not be scanned');
    const waits = due.waitedMs < environment.SCAN_GIVE_UP_SECONDS * 1000;
    count('sluice_scans_total', { result: waits ? 'no_verdict' : 'given_up' });
    if (waits) {
      const { part, leastMs, mostMs } = BACKOFF;
      return { retryInMs: Math.min(mostMs, Math.max(leastMs, due.waitedMs * part)) };
    }
    await this.refuse(
      due,
      'scan_unavailable',
      'The file could not be checked by the virus scanner and was not taken; send it again later.',
    );
    return undefined;
  }

  private async refuse({ jobId, sessionId }: DueScan, code: ErrorCode, message: string): Promise<void> {
    const failed = await this.rows.refuse(jobId, { code, message });
    if (!failed) return;
    await this.announcer.cleanup(failed.assetId, sessionId);
    await this.announcer.publish(...failed.facts);
  }
}
