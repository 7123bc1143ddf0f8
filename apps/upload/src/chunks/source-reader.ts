import { buffer } from 'node:stream/consumers';
import { Inject, Injectable } from '@nestjs/common';
import type { ObjectStore } from '#storage';
import { HEAD_BYTES } from '../files/sniff.js';
import { Rows } from '../rows.js';
import { STORE } from '../settings.js';
import type { ChunkRow } from './chunks.repository.js';

const PAGE = 500;
const DELETES_AT_ONCE = 16;

/** A source as its chunk rows, read without being put together. */
@Injectable()
export class SourceReader {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(STORE) private readonly store: ObjectStore,
  ) {}

  /** In order of their place, a page at a time. */
  async *pages(sessionId: string): AsyncGenerator<ChunkRow[]> {
    for (let after = -1; ; ) {
      const page = await this.rows.chunks.page(this.rows.manager, sessionId, after, PAGE);
      const last = page.at(-1);
      if (!last) return;
      yield page;
      after = last.offset;
    }
  }

  /** The chunks that follow on each other from `from` on, at most so many. */
  async contiguous(sessionId: string, from: number, limit: number): Promise<ChunkRow[]> {
    const page = await this.rows.chunks.page(this.rows.manager, sessionId, from - 1, limit);
    let end = from;
    const gap = page.findIndex((chunk) => {
      const fits = chunk.offset === end;
      end += chunk.size;
      return !fits;
    });
    return gap < 0 ? page : page.slice(0, gap);
  }

  /** The chunks from the one that holds `from` to the end of a complete source; null when they are more than `limit`. */
  async last(sessionId: string, from: number, limit: number): Promise<ChunkRow[] | null> {
    const page = await this.rows.chunks.lastPage(this.rows.manager, sessionId, limit);
    const first = page.findIndex((chunk) => chunk.offset <= from);
    return first < 0 ? null : page.slice(0, first + 1).reverse();
  }

  /** All bytes of a complete source, in order. */
  async *bytes(sessionId: string, signal: AbortSignal): AsyncGenerator<Buffer> {
    for await (const page of this.pages(sessionId)) {
      for (const { key } of page) {
        yield* (await this.store.get(key, undefined, signal)) as AsyncIterable<Buffer>;
      }
    }
  }

  /** The first bytes of a source up to its first gap, as many as sniffing wants, whatever the size of its chunks. */
  async head(sessionId: string): Promise<Buffer> {
    const parts: Buffer[] = [];
    let length = 0;
    for await (const page of this.pages(sessionId)) {
      for (const chunk of page) {
        if (chunk.offset !== length) return Buffer.concat(parts);
        const range = { start: 0, end: Math.min(chunk.size, HEAD_BYTES - length) };
        parts.push(await buffer(await this.store.get(chunk.key, range)));
        length += range.end;
        if (length >= HEAD_BYTES) return Buffer.concat(parts);
      }
    }
    return Buffer.concat(parts);
  }

  async deleteObjects(keys: string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += DELETES_AT_ONCE) {
      await Promise.all(keys.slice(at, at + DELETES_AT_ONCE).map((key) => this.store.delete(key)));
    }
  }
}
