import { setTimeout as sleep } from 'node:timers/promises';
import type { OnModuleDestroy, OnModuleInit } from '@nestjs/common';
import { ANYBODYS, SluiceError } from '#contracts';
import type { Listener } from '#persistence';
import { takenOver } from '../chunks/adoption.service.js';
import type { Rows } from '../rows.js';
import type { UploadRow, UploadsRepository } from './uploads.repository.js';

export const LET_GO_CHANNEL = 'sluice_let_go';
/** Who was asked stores what it has within this time, or is taken for dead and fenced off. */
const LET_GO_MS = 1500;
const LOOK_AGAIN_MS = 25;

/** The right to append to one upload. */
export interface Hold {
  upload: UploadRow;
  /** Aborts when somebody else wants to write, with what the request is to be answered. */
  signal: AbortSignal;
  release(): Promise<void>;
}

/**
 * One writer for each upload, over all processes. Who comes while another one holds it asks that one
 * to let go, waits a moment, and takes over with the next fencing number: a client whose connection
 * died is served at once. Asking may fail; adoption checks the number, so nothing depends on it.
 */
export class UploadWriters implements OnModuleInit, OnModuleDestroy {
  private readonly held = new Map<string, { writer: number; abort: AbortController }>();

  constructor(
    private readonly rows: Rows,
    private readonly uploads: UploadsRepository,
    private readonly listener: (hear: (message: string) => void) => Listener,
  ) {
    this.ears = this.listener((message) => this.hear(message));
  }

  private readonly ears: Listener;

  async onModuleInit(): Promise<void> {
    await this.ears.listen();
  }

  /** Requests that would keep a stopping process store what they have; their clients go on elsewhere. */
  async onModuleDestroy(): Promise<void> {
    for (const { abort } of this.held.values()) abort.abort(stopping());
    await this.ears.close();
  }

  async take(id: string): Promise<Hold> {
    for (;;) {
      const seen = await this.settled(id);
      const upload = await this.uploads.take(this.rows.manager, id, seen.writer);
      if (upload) return this.hold(upload);
    }
  }

  /** The upload when nobody writes to it: its offset stays. */
  async quiet(id: string): Promise<UploadRow> {
    for (;;) {
      const seen = await this.settled(id);
      if (!seen.writing) return seen;
      await this.uploads.fence(this.rows.manager, id, seen.writer);
    }
  }

  /** Somebody wants this upload: in this process or another one. */
  async ask(upload: UploadRow): Promise<void> {
    if (!upload.writing) return;
    this.letGo(upload.id, upload.writer);
    await this.uploads.ask(this.rows.manager, LET_GO_CHANNEL, `${upload.id} ${upload.writer}`);
  }

  /** The upload as soon as its writer has let go, or when that takes too long. */
  private async settled(id: string): Promise<UploadRow> {
    let upload = await this.uploads.find(this.rows.manager, id, ANYBODYS);
    if (!upload.writing) return upload;
    const { writer } = upload;
    await this.ask(upload);
    for (const until = Date.now() + LET_GO_MS; Date.now() < until; ) {
      await sleep(LOOK_AGAIN_MS);
      upload = await this.uploads.find(this.rows.manager, id, ANYBODYS);
      if (!upload.writing || upload.writer !== writer) break;
    }
    return upload;
  }

  private hold(upload: UploadRow): Hold {
    const { id, writer } = upload;
    const abort = new AbortController();
    const mine = { writer, abort };
    this.held.set(id, mine);
    return {
      upload,
      signal: abort.signal,
      release: async () => {
        if (this.held.get(id) === mine) this.held.delete(id);
        await this.uploads.release(this.rows.manager, id, writer);
      },
    };
  }

  private hear(message: string): void {
    const [id = '', writer] = message.split(' ');
    this.letGo(id, Number(writer));
  }

  /** A later holder is not the one that was asked. */
  private letGo(id: string, writer: number): void {
    const held = this.held.get(id);
    if (held && held.writer <= writer) held.abort.abort(takenOver());
  }
}

const stopping = () =>
  new SluiceError('unavailable', 'This process is stopping; ask for the offset and go on from there.');
