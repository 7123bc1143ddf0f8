import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A socket of this machine, or a host and its port. */
export type ClamdAddress = { path: string } | { host: string; port: number };

export type Verdict = { clean: true } | { clean: false; signature: string };

/** No verdict: the scanner is away, silent, over its limits, or says what we do not understand. */
export class ScannerError extends Error {
  override readonly name = 'ScannerError';
}

const COMMAND = Buffer.from('zINSTREAM\0');
const END = Buffer.alloc(4);
/** clamd refuses a piece that is longer than its StreamMaxLength. */
const LONGEST_PIECE = 256 * 1024;
const LONGEST_ANSWER = 4096;

/**
 * One conversation with clamd (clamd(8), INSTREAM): the bytes as they are read, no faster than it takes
 * them, at most `maxBytes`. Whatever is not a plain verdict on all that was sent is a ScannerError.
 */
export async function scanStream(
  address: ClamdAddress,
  bytes: AsyncIterable<Buffer>,
  { maxBytes, timeoutMs, signal }: { maxBytes: number; timeoutMs: number; signal: AbortSignal },
): Promise<Verdict> {
  signal.throwIfAborted();
  const socket = connect(address);
  const clock = new Clock(socket, timeoutMs);
  const abort = () => socket.destroy(new ScannerError('the scan was stopped'));
  signal.addEventListener('abort', abort, { once: true });
  const asked = { all: false };
  const body = Readable.from(
    pieces(bytes, maxBytes, (isLast) => {
      asked.all = isLast;
      clock.restart();
    }),
    { objectMode: false },
  );
  const sent = pipeline(body, socket, { end: false });
  try {
    const answered = answerOf(socket);
    const [answer] = await Promise.all([answered, Promise.race([sent, answered])]);
    return verdictOf(answer, asked.all);
  } catch (error) {
    throw error instanceof ScannerError
      ? error
      : new ScannerError((error as Error).message, { cause: error });
  } finally {
    sent.catch(() => undefined);
    clock.stop();
    signal.removeEventListener('abort', abort);
    socket.destroy();
    body.destroy();
  }
}

/** The command, then each piece behind its length, then a length of 0. */
async function* pieces(
  bytes: AsyncIterable<Buffer>,
  maxBytes: number,
  onProgress: (isLast: boolean) => void,
) {
  yield COMMAND;
  let left = maxBytes;
  for await (const part of bytes) {
    for (let at = 0; at < part.length && left > 0; at += LONGEST_PIECE) {
      const piece = part.subarray(at, Math.min(at + LONGEST_PIECE, at + left));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(piece.length);
      left -= piece.length;
      onProgress(false);
      yield length;
      yield piece;
    }
    if (left <= 0) break;
  }
  onProgress(true);
  yield END;
}

function answerOf(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (part: string) => {
      text += part;
      if (text.length > LONGEST_ANSWER) reject(new ScannerError('the scanner does not stop talking'));
      else if (text.includes('\0')) resolve(text.slice(0, text.indexOf('\0')));
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new ScannerError(`the scanner hung up: ${printable(text)}`)));
  });
}

function verdictOf(answer: string, askedAll: boolean): Verdict {
  const found = /^stream: (.+) FOUND$/.exec(answer);
  if (found) return { clean: false, signature: printable(found[1] ?? '') };
  if (answer === 'stream: OK' && askedAll) return { clean: true };
  throw new ScannerError(`the scanner said: ${printable(answer)}`);
}

/** What a signature or an answer may bring into a log, a row and a page. */
const printable = (text: string) => text.replace(/[^A-Za-z0-9 ._:()-]/g, '').slice(0, 100);

/** Ends the conversation when nothing moves for so long. */
class Clock {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly timeoutMs: number,
  ) {
    this.restart();
  }

  restart(): void {
    this.stop();
    this.timer = setTimeout(
      () => this.socket.destroy(new ScannerError(`the scanner was silent for ${this.timeoutMs} ms`)),
      this.timeoutMs,
    );
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
