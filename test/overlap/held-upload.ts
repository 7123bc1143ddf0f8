import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Stack } from '#testing';
import { complete, created, put } from '../upload/support.js';

const CHUNKS = 24;

/** An upload that stops where the test wants it to: the file's ends first, as our clients send, or in order. */
export class HeldUpload {
  private sent = 0;

  private constructor(
    private readonly url: string,
    readonly session: string,
    readonly job: string,
    private readonly bytes: Buffer,
    private readonly order: number[],
  ) {}

  static async open(stack: Stack, file: string, order: 'ends-first' | 'in-order'): Promise<HeldUpload> {
    const bytes = await readFile(file);
    const url = stack.urls.upload;
    const session = await created(url, { filename: basename(file), size: bytes.length });
    const places = Array.from({ length: CHUNKS }, (_, i) => i);
    if (order === 'ends-first') places.splice(1, 0, places.pop() as number);
    return new HeldUpload(url, session.session_id, session.job_id as string, bytes, places);
  }

  /** Sends until so many parts of the file (0 to 1) have been confirmed. */
  async sendTo(part: number): Promise<void> {
    const size = Math.ceil(this.bytes.length / CHUNKS);
    for (; this.sent < Math.floor(CHUNKS * part); this.sent++) {
      const offset = (this.order[this.sent] as number) * size;
      const answer = await put(this.url, this.session, offset, this.bytes.subarray(offset, offset + size));
      if (answer.status !== 200 && answer.status !== 201) throw new Error(JSON.stringify(answer));
    }
  }

  async finish(): Promise<void> {
    await this.sendTo(1);
    const answer = await complete(this.url, this.session);
    if (answer.status !== 200) throw new Error(JSON.stringify(answer));
  }
}
