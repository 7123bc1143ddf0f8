import type {
  CompleteDetail,
  ErrorDetail,
  ProgressDetail,
  SessionDetail,
  SluiceUploader,
  UploadFile,
} from '../../../libs/widget/src/index.js';
import { cancelJob, fetchJob, retryJob } from './api.js';
import { Card } from './card.js';
import { say } from './dom.js';
import { type Entry, removeEntry, saveEntry } from './entries.js';
import { applyFact, applySnapshot, isFinal, type JobState, newJob } from './job-state.js';
import type { Live, News } from './live.js';
import type { TransferState } from './words.js';

/** Chunks of a slow line are further apart than a few seconds. */
const SILENCE_MS = 15_000;

export interface RowWorld {
  live: Live;
  uploader: SluiceUploader;
  mayOpenPlayer(): boolean;
  changed(): void;
  removed(): void;
}

interface RowInit {
  entry: Entry;
  transfer: TransferState;
  uploadId: string | null;
}

/** One video of the list: joins what the uploader says of the file with what the server says of the job. */
export class Row {
  readonly card: Card;
  uploadId: string | null;
  private readonly entry: Entry;
  private transfer: TransferState;
  private job: JobState | null = null;
  private gone: string | null = null;
  /** Running at some time while the page is open: its player may open by itself. */
  private seenRunning: boolean;
  private frame = 0;
  /** Since the bytes of this file last came from another page. */
  private silence: ReturnType<typeof setTimeout> | undefined;

  static queued(file: UploadFile, position: number): RowInit {
    return {
      uploadId: file.uploadId,
      entry: {
        id: crypto.randomUUID?.() ?? `${Date.now()}-${file.uploadId}`,
        name: file.name,
        size: file.size,
        sessionId: null,
        jobId: null,
        sent: false,
        ended: false,
        addedAt: Date.now() - position / 1000,
      },
      transfer: { phase: 'waiting', sent: 0, total: file.size, code: null, message: null },
    };
  }

  static stored(entry: Entry): RowInit {
    const phase = entry.sent || entry.ended ? 'sent' : 'interrupted';
    return {
      uploadId: null,
      entry,
      transfer: { phase, sent: 0, total: entry.size, code: null, message: null },
    };
  }

  constructor(
    init: RowInit,
    private readonly world: RowWorld,
  ) {
    this.entry = init.entry;
    this.transfer = init.transfer;
    this.uploadId = init.uploadId;
    this.seenRunning = init.uploadId !== null;
    if (this.entry.jobId) this.job = newJob(this.entry.jobId);
    this.card = new Card(this.entry.name, {
      cancel: () => this.cancel(),
      retry: () => this.retry(),
      remove: () => this.remove(),
      choose: () => world.uploader.choose(),
      opensItself: () => this.seenRunning && world.mayOpenPlayer(),
    });
  }

  get jobId(): string | null {
    return this.entry.jobId;
  }

  get sessionId(): string | null {
    return this.entry.sessionId;
  }

  get finished(): boolean {
    return this.gone !== null || this.transfer.phase === 'failed' || (this.job !== null && isFinal(this.job));
  }

  /** The row is in the page now: show it and ask for news. */
  start(): void {
    this.draw();
    if (this.uploadId) saveEntry(this.entry);
    if (this.entry.jobId) this.world.live.follow(this.entry.jobId);
    if (this.transfer.phase === 'interrupted') this.offer();
  }

  /** Is this the file that the row waits for? */
  awaits(file: UploadFile): boolean {
    if (this.transfer.phase !== 'interrupted' && this.transfer.phase !== 'failed') return false;
    if (file.resumes !== null) return file.resumes === this.sessionId;
    return this.sessionId === null && file.name === this.entry.name && file.size === this.entry.size;
  }

  /** The same file was chosen again. */
  resume(file: UploadFile): void {
    this.uploadId = file.uploadId;
    this.transfer = { ...this.transfer, phase: 'waiting', code: null, message: null };
    this.draw();
  }

  session(detail: SessionDetail): void {
    this.entry.sessionId = detail.sessionId;
    this.entry.jobId = detail.jobId ?? this.entry.jobId;
    saveEntry(this.entry);
    this.transfer = { ...this.transfer, phase: 'sending' };
    if (this.entry.jobId) {
      this.job ??= newJob(this.entry.jobId);
      this.world.live.follow(this.entry.jobId);
    }
    this.draw();
  }

  progress({ sent }: ProgressDetail): void {
    this.transfer = { ...this.transfer, phase: 'sending', sent: Math.max(sent, this.transfer.sent) };
    this.draw();
  }

  sent(detail: CompleteDetail): void {
    this.uploadId = null;
    this.entry.sent = true;
    this.entry.sessionId = detail.sessionId;
    if (detail.jobId && !this.entry.jobId)
      this.session({ ...detail, ...this.asFile(detail), duplicate: false });
    saveEntry(this.entry);
    this.transfer = { ...this.transfer, phase: 'sent', sent: this.entry.size };
    this.draw();
  }

  failed(detail: ErrorDetail): void {
    this.uploadId = null;
    this.transfer = { ...this.transfer, phase: 'failed', code: detail.code, message: detail.message };
    if (detail.code === 'cancelled') {
      this.entry.ended = true;
      saveEntry(this.entry);
    } else {
      // A lost connection or file leaves the session open: the same file goes on where it stopped.
      this.offer();
      say(`${this.entry.name}: ${detail.message}`);
    }
    this.draw();
    this.world.changed();
  }

  hear(news: News): void {
    if (!this.job) return;
    const before = this.job;
    if (news.kind === 'gone') this.gone = news.message;
    else {
      this.gone = null;
      this.job = news.kind === 'fact' ? applyFact(before, news.fact) : applySnapshot(before, news.view);
    }
    if (news.kind === 'fact' && this.job.bytesReceived > before.bytesReceived) this.heardBytes();
    if (!isFinal(this.job)) this.seenRunning ||= this.gone === null && this.job.seq >= 0;
    this.announce(before, this.job);
    if (this.finished && this.gone === null && isFinal(this.job)) this.end();
    if (news.kind === 'fact' && this.job.status === 'failed') void this.look();
    this.draw();
    this.world.changed();
  }

  remove(): void {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.silence);
    removeEntry(this.entry.id);
    this.world.uploader.withdrawResume(this.entry);
    this.card.close();
    this.world.removed();
  }

  private async cancel(): Promise<void> {
    if (this.uploadId) return this.world.uploader.cancel(this.uploadId);
    if (this.entry.jobId) this.hear({ kind: 'snapshot', view: await cancelJob(this.entry.jobId) });
    this.world.uploader.withdrawResume(this.entry);
  }

  private async retry(): Promise<void> {
    if (!this.entry.jobId) return;
    const view = await retryJob(this.entry.jobId);
    this.entry.ended = false;
    saveEntry(this.entry);
    this.seenRunning = true;
    this.world.live.follow(this.entry.jobId);
    this.hear({ kind: 'snapshot', view });
  }

  /** Another page sends this file. */
  private heardBytes(): void {
    if (this.uploadId !== null || this.entry.sent) return;
    if (this.transfer.phase === 'interrupted') this.transfer = { ...this.transfer, phase: 'sending' };
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      if (this.uploadId !== null || this.transfer.phase !== 'sending') return;
      this.transfer = { ...this.transfer, phase: 'interrupted' };
      this.draw();
    }, SILENCE_MS);
  }

  private offer(): void {
    const { sessionId, jobId, name, size } = this.entry;
    if (sessionId && !(this.job && isFinal(this.job)))
      this.world.uploader.offerResume({ sessionId, jobId, name, size });
  }

  /** Facts do not say whether it can be tried again. */
  private async look(): Promise<void> {
    const news = this.entry.jobId && (await fetchJob(this.entry.jobId));
    if (news) this.hear(news);
  }

  private end(): void {
    this.world.uploader.withdrawResume(this.entry);
    if (this.entry.jobId) this.world.live.unfollow(this.entry.jobId);
    if (this.entry.ended) return;
    this.entry.ended = true;
    saveEntry(this.entry);
  }

  private announce(before: JobState, after: JobState): void {
    if (!this.seenRunning) return;
    const { name } = this.entry;
    if (!before.playback.early && after.playback.early && !isFinal(after)) say(`${name} can be played now`);
    if (before.status === after.status) return;
    if (after.status === 'completed') say(`${name} is ready`);
    if (after.status === 'failed') say(`${name} failed: ${after.errorMessage ?? ''}`);
  }

  private asFile({ uploadId }: CompleteDetail): UploadFile {
    return { uploadId, name: this.entry.name, size: this.entry.size, resumes: null };
  }

  /** Progress may come many times between two frames. */
  private draw(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      const { name, size } = this.entry;
      this.card.update({ name, size, job: this.job, transfer: this.transfer, gone: this.gone });
    });
  }
}
