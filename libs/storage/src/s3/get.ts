import { Readable } from 'node:stream';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { SluiceError } from '#contracts';
import type { ByteRange } from '../port.js';
import type { Connection } from './connection.js';
import { isTransient, toStorageError } from './errors.js';
import { ATTEMPTS, backoff, withRetries } from './retry.js';

interface Piece {
  body: Readable;
  /** First byte in the object. */
  start: number;
  /** First byte that is not wanted. */
  end: number;
  etag: string | undefined;
}

/**
 * A read that breaks off goes on where it was: the store may close a connection over which a slow
 * reader takes nothing, and an encoder is not to begin again for that.
 */
export async function get(
  connection: Connection,
  key: string,
  range: ByteRange = { start: 0 },
  signal?: AbortSignal,
): Promise<Readable> {
  if (range.start < 0 || (range.end !== undefined && range.start >= range.end)) {
    throw new SluiceError('range_not_satisfiable', 'A range needs at least one byte; ask for some.');
  }
  const first = await withRetries(() => request(connection, key, range, signal), { signal, key });
  const stream = Readable.from(bytes(connection, key, first, signal), { objectMode: false });
  // Who never reads it, but destroys it, has not begun the generator below.
  stream.once('close', () => first.body.destroy());
  return stream;
}

async function* bytes(
  connection: Connection,
  key: string,
  first: Piece,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const { end, etag } = first;
  let at = first.start;
  let piece = first;
  for (let failures = 0; at < end; ) {
    try {
      for await (const part of piece.body) {
        at += (part as Buffer).length;
        failures = 0;
        yield part as Buffer;
      }
      if (at < end) throw new Error(`the store ended the object ${end - at} bytes early`);
    } catch (error) {
      signal?.throwIfAborted();
      failures += 1;
      if (failures === ATTEMPTS || !isTransient(error)) throw toStorageError(error, key);
      await backoff(failures, signal).catch(() => signal?.throwIfAborted());
      const rest = { start: at, end };
      piece = await withRetries(() => request(connection, key, rest, signal, etag), { signal, key });
    }
  }
}

async function request(
  connection: Connection,
  key: string,
  { start, end }: ByteRange,
  signal?: AbortSignal,
  etag?: string,
): Promise<Piece> {
  const isWhole = start === 0 && end === undefined;
  const answer = await connection.bodies.send(
    new GetObjectCommand({
      ...connection.at(key),
      ...(isWhole ? {} : { Range: `bytes=${start}-${end === undefined ? '' : end - 1}` }),
      ...(etag ? { IfMatch: etag } : {}),
    }),
    { abortSignal: signal },
  );
  const body = answer.Body as Readable;
  // A store that does not know ranges would give other bytes than those that were asked for.
  if (!isWhole && start > 0 && !answer.ContentRange) {
    body.destroy();
    throw new SluiceError('unavailable', 'The storage does not give ranges of objects; use another store.');
  }
  return { body, start, end: start + (answer.ContentLength ?? 0), etag: answer.ETag };
}
