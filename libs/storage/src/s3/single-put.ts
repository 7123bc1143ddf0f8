import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { Body } from './body.js';
import { announcing, hasLanded, putIdMetadata } from './commands.js';
import type { Connection } from './connection.js';
import { isTransient, toStorageError } from './errors.js';
import { ATTEMPTS, backoff } from './retry.js';

export interface Sendable {
  /** Bytes. */
  size: number;
  sha256: string | undefined;
  /** For one attempt. */
  content(): Readable | Buffer;
  /** Whether `content` can be had once more. */
  canBeSentAgain(): boolean;
  /** Whether all of it has left us, so that a lost answer may have been a good one. */
  isSent(): boolean;
  /** What is wrong with the body itself, if it is. */
  failure(): { reason: unknown } | null;
}

/** One PutObject: the store shows all of it or nothing. */
export async function putObject(
  connection: Connection,
  key: string,
  body: Sendable,
  signal?: AbortSignal,
): Promise<void> {
  const putId = randomUUID();
  for (let attempt = 1; ; attempt += 1) {
    try {
      signal?.throwIfAborted();
      await send(connection, key, body, putId, signal);
      return;
    } catch (error) {
      signal?.throwIfAborted();
      const failure = body.failure();
      if (failure) throw failure.reason;
      if (!isTransient(error)) throw toStorageError(error);
      if (body.isSent() && (await hasLanded(connection, key, { putId, size: body.size }))) return;
      if (attempt === ATTEMPTS || !body.canBeSentAgain()) throw toStorageError(error);
    }
    await backoff(attempt, signal).catch(() => signal?.throwIfAborted());
  }
}

async function send(
  connection: Connection,
  key: string,
  { size, sha256, content }: Sendable,
  putId: string,
  signal?: AbortSignal,
): Promise<void> {
  const body = content();
  const command = new PutObjectCommand({
    ...connection.at(key),
    Body: body,
    ContentLength: size,
    Metadata: putIdMetadata(putId),
  });
  try {
    await connection.bodies.send(announcing(command, sha256), { abortSignal: signal });
  } finally {
    if (body instanceof Readable) body.destroy();
  }
}

export const replayable = (content: () => Readable | Buffer, size: number, sha256: string): Sendable => ({
  size,
  sha256,
  content,
  canBeSentAgain: () => true,
  isSent: () => true,
  failure: () => null,
});

/** A stream can be sent once. That it was not touched is all that allows another attempt. */
export const once = (body: Body, size: number): Sendable => ({
  size,
  sha256: body.options.sha256,
  content: () => Readable.from(body.verified(), { objectMode: false }),
  canBeSentAgain: () => body.taken === 0 && !body.isComplete,
  isSent: () => body.isComplete,
  failure: () => body.failure,
});
