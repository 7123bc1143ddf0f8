import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RenditionName, type SegmentPayload, SluiceError } from '#contracts';
import { codecsOf, readTrack, type SegmentSink, type Track } from '#media';
import type { Handover } from './handover.js';
import { writeTs } from './ts-file.js';

export interface SinkContext {
  handover: Handover;
  jobId: string;
  workerId: string;
  rendition: RenditionName;
  /** SHA-256 of the parameters and the ffmpeg build. */
  encoder: string;
  /** The init segment that the rendition has already; another one is refused. */
  storedInit: { sha256: string; encoder: string } | null;
  /** Of all segments of this run; an encoder that writes more is not doing what it was told. */
  maxBytes: number;
  /** Segments are handed over as MPEG-TS, too. */
  ts: boolean;
  announce: (payload: SegmentPayload) => Promise<void>;
}

/** Writes what a cutter cuts into the scratch, hashing on the way, and announces each segment when it ends. */
export class ScratchSink implements SegmentSink {
  private file: FileHandle | null = null;
  private hash: Hash = createHash('sha256');
  private size = 0;
  private index = 0;
  private written = 0;
  /** Null: text, or not asked for. */
  private track: Track | null = null;

  constructor(private readonly context: SinkContext) {}

  async init(bytes: Buffer): Promise<void> {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const { storedInit, encoder, rendition, ts } = this.context;
    if (ts) this.track = readTrack(bytes);
    if (storedInit) {
      if (storedInit.sha256 === sha256 && storedInit.encoder === encoder) return;
      throw new SluiceError(
        'encode_failed',
        `This encoder does not make the same ${rendition} as the one that began it.`,
      );
    }
    await this.context.handover.room(rendition);
    const path = this.pathOf(-1);
    await writeFile(path, bytes);
    await this.hand(-1, path, {
      sha256,
      size: bytes.length,
      start: 0,
      duration: 0,
      codecs: codecsOf(bytes),
      encoder,
    });
  }

  async begin(index: number): Promise<void> {
    await this.context.handover.room(this.context.rendition);
    this.index = index;
    this.hash = createHash('sha256');
    this.size = 0;
    this.file = await open(this.pathOf(index), 'w');
  }

  async write(bytes: Buffer): Promise<void> {
    this.written += bytes.length;
    if (this.written > this.context.maxBytes) throw tooMuch(this.context);
    this.hash.update(bytes);
    this.size += bytes.length;
    await this.file?.write(bytes);
  }

  async end(times: { start: number; duration: number }): Promise<void> {
    await this.close();
    const path = this.pathOf(this.index);
    await this.hand(this.index, path, {
      sha256: this.hash.digest('hex'),
      size: this.size,
      ...times,
      ...(this.context.ts ? { ts: await writeTs(path, this.track, this.index) } : {}),
    });
  }

  /** Lets go of a segment that will not end. */
  async close(): Promise<void> {
    await this.file?.close();
    this.file = null;
  }

  private async hand(
    index: number,
    path: string,
    what: Pick<SegmentPayload, 'sha256' | 'size' | 'start' | 'duration' | 'codecs' | 'encoder' | 'ts'>,
  ): Promise<void> {
    const { handover, jobId, workerId, rendition, announce } = this.context;
    const payload: SegmentPayload = {
      jobId,
      spanId: handover.spanId,
      lease: handover.lease,
      workerId,
      rendition,
      index,
      ...what,
    };
    if (handover.add(path, payload)) await announce(payload);
  }

  private pathOf(index: number): string {
    return join(this.context.handover.dir, `${this.context.rendition}-${index < 0 ? 'init' : index}`);
  }
}

const tooMuch = ({ rendition, maxBytes }: SinkContext) =>
  new SluiceError('encode_failed', 'Converting this video gave far more data than it may; it was stopped.', {
    details: { rendition, max_bytes: maxBytes },
  });
