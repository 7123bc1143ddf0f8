import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Injectable } from '@nestjs/common';
import { SluiceError } from '#contracts';
import { send } from '#storage';
import type { ChunkedSource } from './chunked-source.js';
import { Patience, type PatienceOptions } from './patience.js';

/** What can be served: a source, or stored segments in a row. */
export type ByteSource = Pick<ChunkedSource, 'size' | 'stream'>;

interface Served {
  source: ByteSource;
  failure: SluiceError | null;
  patience: Patience;
}

export interface Published {
  url: string;
  /**
   * Why bytes could not be given, when trying again may help: to ffmpeg the source merely ended, and
   * it would blame the video for a store that was away.
   */
  failure(): SluiceError | null;
  /** True while a reader waits for bytes that have not arrived: no clock of its run goes on then (S4-02). */
  isWaiting(): boolean;
  /** A reader is busy with what it has: its patience begins anew. */
  renew(): void;
  /** Aborts with NotArrived when a reader has waited for longer than it may. */
  signal: AbortSignal;
  close(): void;
}

/**
 * ffmpeg's only way to a source: HTTP with ranges on a loopback port of its own, under a token that
 * nobody can guess and that ends with the run.
 */
@Injectable()
export class SourceServer {
  private readonly sources = new Map<string, Served>();
  private readonly server: Server = createServer((request, response) => void this.answer(request, response));

  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
  }

  /** Serves `source` until `close` is called. */
  publish(source: ByteSource, patience: PatienceOptions): Published {
    const token = randomBytes(24).toString('hex');
    const served: Served = { source, failure: null, patience: new Patience(patience) };
    this.sources.set(token, served);
    const { port } = this.server.address() as AddressInfo;
    return {
      url: `http://127.0.0.1:${port}/${token}`,
      failure: () => served.failure,
      isWaiting: () => served.patience.isWaiting(),
      renew: () => served.patience.renew(),
      signal: served.patience.signal,
      close: () => {
        this.sources.delete(token);
        served.patience.end();
      },
    };
  }

  stop(): void {
    this.sources.clear();
    this.server.close();
    this.server.closeAllConnections();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const served = this.sources.get(request.url?.slice(1) ?? '');
    if (!served || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404).end();
      return;
    }
    const { source } = served;
    const range = parseRange(request.headers.range, source.size);
    if (!range) {
      response.writeHead(416, { 'content-range': `bytes */${source.size}` }).end();
      return;
    }
    response.writeHead(request.headers.range ? 206 : 200, {
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      'content-length': range.end - range.start,
      ...(request.headers.range
        ? { 'content-range': `bytes ${range.start}-${range.end - 1}/${source.size}` }
        : {}),
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const abort = new AbortController();
    response.once('close', () => abort.abort());
    // ffmpeg seeks by hanging up: that is no error.
    const bytes = source.stream(range.start, range.end, abort.signal, served.patience);
    await send(bytes, response).catch((error: unknown) => {
      if (!abort.signal.aborted) served.failure ??= ourFailure(error);
      response.destroy();
    });
  }
}

/** Null where the chunks themselves are the reason; Postgres and others throw errors of their own. */
function ourFailure(error: unknown): SluiceError | null {
  if (error instanceof SluiceError) return error.retryable ? error : null;
  return new SluiceError('unavailable', 'The bytes of the upload could not be read just now.', {
    cause: error,
  });
}

function parseRange(header: string | undefined, size: number): { start: number; end: number } | null {
  if (header === undefined) return { start: 0, end: size };
  const match = /^bytes=(\d+)-(\d*)$/.exec(header);
  if (!match) return null;
  const start = Number(match[1]);
  const end = match[2] ? Math.min(Number(match[2]) + 1, size) : size;
  return start < end ? { start, end } : null;
}
