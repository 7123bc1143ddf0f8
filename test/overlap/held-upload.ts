import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { CreateSessionRequest } from '#contracts';
import type { Stack } from '#testing';
import { type Answer, complete, created, put } from '../upload/support.js';

const CHUNKS = 24;

export interface Holding {
  order: 'ends-first' | 'in-order';
  /** Parts that the file is sent in. */
  chunks?: number;
  asked?: Partial<CreateSessionRequest>;
}

/** An upload that stops where the test wants it to: the file's ends first, as our clients send, or in order. */
export class HeldUpload {
  private sent = 0;

  private constructor(
    private readonly url: string,
    readonly session: string,
    readonly job: string,
    private bytes: Buffer,
    private readonly order: number[],
  ) {}

  /** Of a file, or of bytes. */
  static async open(stack: Stack, file: string | Buffer, holding: Holding): Promise<HeldUpload> {
    const bytes = typeof file === 'string' ? await readFile(file) : file;
    const filename = typeof file === 'string' ? basename(file) : 'clip.mp4';
    const url = stack.urls.upload;
    const session = await created(url, { filename, size: bytes.length, ...holding.asked });
    const places = Array.from({ length: holding.chunks ?? CHUNKS }, (_, i) => i);
    if (holding.order === 'ends-first') places.splice(1, 0, places.pop() as number);
    return new HeldUpload(url, session.session_id, session.job_id as string, bytes, places);
  }

  /** Sends until so many parts of the file (0 to 1) have been confirmed. */
  async sendTo(part: number): Promise<void> {
    while (this.sent < Math.floor(this.order.length * part)) {
      const answer = await this.sendNext();
      if (answer.status !== 200 && answer.status !== 201) throw new Error(JSON.stringify(answer));
    }
  }

  sendNext(): Promise<Answer<unknown>> {
    const size = Math.ceil(this.bytes.length / this.order.length);
    const offset = (this.order[this.sent++] as number) * size;
    return put(this.url, this.session, offset, this.bytes.subarray(offset, offset + size));
  }

  /** From the first part on, with these bytes. */
  startOver(bytes: Buffer): void {
    this.bytes = bytes;
    this.sent = 0;
  }

  async finish(): Promise<void> {
    await this.sendTo(1);
    const answer = await complete(this.url, this.session);
    if (answer.status !== 200) throw new Error(JSON.stringify(answer));
  }
}
