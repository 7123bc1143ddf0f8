import { SluiceClient } from '../../client/src/index.js';
import type { Resumable, UploaderEventName, UploaderEvents, UploadFile } from './events.js';

export type Report = <N extends UploaderEventName>(name: N, detail: UploaderEvents[N]) => void;

interface Transfer extends UploadFile {
  file: File;
  jobId: string | null;
  sessionId: string | null;
  abort: AbortController;
  running: boolean;
}

/** Files sent at once; each sends several chunks in parallel, so more would only share the line. */
const FILES_AT_ONCE = 2;

/** The files of one element: sends them in order, a few at once, and reports what happens. */
export class Transfers {
  private readonly transfers = new Map<string, Transfer>();
  private counter = 0;

  constructor(
    private readonly uploadUrl: () => string,
    private readonly report: Report,
    private readonly getToken: () => Promise<string | null> | string | null,
  ) {}

  get active(): number {
    return this.transfers.size;
  }

  add(files: { file: File; resume: Resumable | null }[]): void {
    const added = files.map(({ file, resume }): Transfer => {
      this.counter += 1;
      return {
        uploadId: `upload-${this.counter}`,
        name: file.name,
        size: file.size,
        resumes: resume?.sessionId ?? null,
        file,
        sessionId: resume?.sessionId ?? null,
        jobId: resume?.jobId ?? null,
        abort: new AbortController(),
        running: false,
      };
    });
    for (const transfer of added) this.transfers.set(transfer.uploadId, transfer);
    this.report('sluice-queued', { files: added.map(describe) });
    this.next();
  }

  /** Stops sending and tells the service to forget the session. Resolves when the service has answered. */
  async cancel(uploadId: string): Promise<void> {
    const transfer = this.transfers.get(uploadId);
    if (!transfer) return;
    this.transfers.delete(uploadId);
    transfer.abort.abort();
    this.report('sluice-error', {
      ...describe(transfer),
      code: 'cancelled',
      message: 'You cancelled this upload.',
    });
    this.next();
    if (transfer.sessionId) await this.client().cancel(transfer.sessionId);
  }

  private client(): SluiceClient {
    return new SluiceClient({ uploadUrl: this.uploadUrl(), getToken: this.getToken });
  }

  private next(): void {
    const all = [...this.transfers.values()];
    let free = FILES_AT_ONCE - all.filter((transfer) => transfer.running).length;
    for (const transfer of all) {
      if (free <= 0) return;
      if (transfer.running) continue;
      transfer.running = true;
      free -= 1;
      void this.send(transfer);
    }
  }

  private async send(transfer: Transfer): Promise<void> {
    const client = this.client();
    const { file } = transfer;
    try {
      if (transfer.sessionId) this.reportSession(transfer, transfer.sessionId, false);
      const done = await client.upload(
        {
          name: file.name,
          size: file.size,
          type: file.type,
          read: async (start, end) => file.slice(start, end),
        },
        {
          signal: transfer.abort.signal,
          ...(transfer.resumes ? { sessionId: transfer.resumes } : {}),
          onSession: (session) => {
            transfer.jobId = session.job_id;
            if (transfer.abort.signal.aborted) {
              // Cancelled while the session was being made: nobody else knows its id.
              void client.cancel(session.session_id).catch(() => undefined);
              return;
            }
            if (transfer.sessionId === session.session_id) return;
            this.reportSession(
              transfer,
              session.session_id,
              'duplicate' in session && session.duplicate === true,
            );
          },
          onProgress: ({ sent, total }) =>
            this.report('sluice-progress', { uploadId: transfer.uploadId, sent, total }),
        },
      );
      this.transfers.delete(transfer.uploadId);
      this.report('sluice-complete', {
        uploadId: transfer.uploadId,
        sessionId: done.session_id,
        jobId: done.job_id ?? transfer.jobId,
      });
    } catch (error) {
      if (transfer.abort.signal.aborted) return;
      this.transfers.delete(transfer.uploadId);
      this.report('sluice-error', { ...describe(transfer), ...explain(error, file.name) });
    } finally {
      this.next();
    }
  }

  private reportSession(transfer: Transfer, sessionId: string, duplicate: boolean): void {
    transfer.sessionId = sessionId;
    this.report('sluice-session', { ...describe(transfer), sessionId, jobId: transfer.jobId, duplicate });
  }
}

function describe(transfer: Transfer): UploadFile {
  return {
    uploadId: transfer.uploadId,
    name: transfer.name,
    size: transfer.size,
    resumes: transfer.resumes,
  };
}

/** A disk that lost the file and a network that is gone have no code of the service; they get one here. */
function explain(error: unknown, name: string): { code: string; message: string } {
  if (error instanceof DOMException && error.name === 'NotReadableError') {
    return {
      code: 'file_unreadable',
      message: `“${name}” cannot be read any more; choose it again to go on where it stopped.`,
    };
  }
  if (error instanceof Error) {
    const code = 'code' in error && typeof error.code === 'string' ? error.code : 'network';
    return { code, message: error.message };
  }
  return { code: 'internal', message: `“${name}” could not be sent; try again.` };
}
