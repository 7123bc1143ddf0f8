import { rm } from 'node:fs/promises';
import { type RenditionName, type SegmentPayload, SluiceError } from '#contracts';
import { observe } from '#observability';
import { tsPathOf } from './ts-file.js';

export interface ScratchFile {
  path: string;
  payload: SegmentPayload;
  announcedAt: number;
  /** When it could be announced first, on this process's own clock; null: not yet. */
  readyAt: number | null;
}

/**
 * What one run of a span has finished and the store has not confirmed yet: at most `window` segments a
 * rendition, then the cutter waits, and so does ffmpeg (S0-12). A copy goes only when it is confirmed (S0-13).
 */
export class Handover {
  private readonly files = new Map<string, ScratchFile>();
  private readonly waiting = new Set<() => void>();
  private failure: Error | null = null;
  private stopped: Error | null = null;
  private holders = 0;

  constructor(
    readonly spanId: string,
    readonly lease: number,
    readonly dir: string,
    /** Null: nothing is handed over, and nothing held, before `letGo` (S0-18). */
    private readonly window: number | null,
  ) {}

  /** True when it may be announced now. */
  add(path: string, payload: SegmentPayload): boolean {
    const announcedAt = this.window === null ? Number.POSITIVE_INFINITY : Date.now();
    const readyAt = this.window === null ? null : performance.now();
    this.files.set(keyOf(payload.rendition, payload.index), { path, payload, announcedAt, readyAt });
    return this.window !== null;
  }

  /** The run has ended: what waited for that, to be announced now. */
  letGo(): SegmentPayload[] {
    const kept = [...this.files.values()].filter((file) => file.announcedAt === Number.POSITIVE_INFINITY);
    for (const file of kept) {
      file.announcedAt = Date.now();
      file.readyAt = performance.now();
    }
    return kept.map(({ payload }) => payload);
  }

  get(rendition: string, index: number): ScratchFile | undefined {
    return this.files.get(keyOf(rendition, index));
  }

  /** The queue could not be told of it. */
  announceSoon(rendition: string, index: number): void {
    const file = this.get(rendition, index);
    if (file) file.announcedAt = 0;
  }

  /** Announced longer ago than `ageMs`, and marked as announced again now. */
  overdue(ageMs: number): ScratchFile[] {
    const now = Date.now();
    const due = [...this.files.values()].filter((file) => now - file.announcedAt > ageMs);
    for (const file of due) file.announcedAt = now;
    return due;
  }

  /** The store has it: the copy goes, and whoever waits looks again. */
  async confirm(rendition: string, index: number): Promise<void> {
    const file = this.get(rendition, index);
    if (!file) return;
    if (file.readyAt !== null)
      observe('sluice_segment_handover_seconds', (performance.now() - file.readyAt) / 1000);
    await rm(file.path, { force: true });
    if (file.payload.ts) await rm(tsPathOf(file.path), { force: true });
    this.files.delete(keyOf(rendition, index));
    this.wake();
  }

  /** The store will not have it: the run ends with this error. */
  refuse(reason: string): void {
    this.fail(new SluiceError('encode_failed', `A segment was refused: ${reason}.`));
  }

  fail(error: Error): void {
    this.failure ??= error;
    this.wake();
  }

  /** Nothing is added any more; what is finished may still be fetched, for so long. */
  stop(reason: Error, patienceMs: number): void {
    this.stopped ??= reason;
    setTimeout(() => this.fail(reason), patienceMs).unref();
    this.wake();
  }

  /** Resolves when the rendition may have one more segment. */
  async room(rendition: RenditionName): Promise<void> {
    await this.until(() => {
      if (this.stopped) throw this.stopped;
      return this.window === null || this.countOf(rendition) < this.window;
    });
  }

  /** Resolves when the store has confirmed everything. */
  async drained(): Promise<void> {
    await this.until(() => this.files.size === 0);
  }

  /** True while a cutter waits for the store: no clock of ffmpeg's runs then (S4-02). */
  isHeld(): boolean {
    return this.holders > 0;
  }

  private async until(condition: () => boolean): Promise<void> {
    this.holders++;
    try {
      for (;;) {
        if (this.failure) throw this.failure;
        if (condition()) return;
        await new Promise<void>((resolve) => this.waiting.add(resolve));
      }
    } finally {
      this.holders--;
    }
  }

  private wake(): void {
    const woken = [...this.waiting];
    this.waiting.clear();
    for (const resolve of woken) resolve();
  }

  private countOf(rendition: RenditionName): number {
    let count = 0;
    for (const { payload } of this.files.values()) if (payload.rendition === rendition) count++;
    return count;
  }
}

const keyOf = (rendition: string, index: number) => `${rendition}/${index}`;
