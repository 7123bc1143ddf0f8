import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { hashMismatch, lengthMismatch } from '../errors.js';
import type { PutOptions } from '../port.js';
import { Body } from './body.js';
import type { Connection } from './connection.js';
import { MultipartPut } from './multipart-put.js';
import { once, putObject, replayable } from './single-put.js';
import { Spool } from './spool.js';

export interface Written {
  size: number;
  sha256: string;
}

/**
 * What is announced goes straight through, in one request. What is not, or is too large for one, is
 * held a part at a time: one part is one PutObject, more are a multipart upload.
 */
export async function put(
  connection: Connection,
  key: string,
  content: Readable | Buffer,
  options: PutOptions,
): Promise<Written> {
  const { largestSinglePut } = connection.settings;
  if (Buffer.isBuffer(content) && content.length <= largestSinglePut) {
    return putBuffer(connection, key, content, options);
  }
  const body = new Body(Buffer.isBuffer(content) ? inBlocks(content) : content, options);
  try {
    // A store that expects nothing answers before a stream is read: nothing goes as a buffer.
    if (options.size !== undefined && options.size > 0 && options.size <= largestSinglePut) {
      await putObject(connection, key, once(body, options.size), options.signal);
      return { size: body.taken, sha256: body.sha256 };
    }
    return await putSpooled(connection, key, body);
  } finally {
    body.close();
  }
}

async function putBuffer(
  connection: Connection,
  key: string,
  content: Buffer,
  options: PutOptions,
): Promise<Written> {
  const size = content.length;
  const sha256 = createHash('sha256').update(content).digest('hex');
  if (options.size !== undefined && options.size !== size) throw lengthMismatch(options.size, size);
  if (options.sha256 !== undefined && options.sha256 !== sha256) throw hashMismatch(options.sha256, sha256);
  await putObject(
    connection,
    key,
    replayable(() => content, size, sha256),
    options.signal,
  );
  return { size, sha256 };
}

async function putSpooled(connection: Connection, key: string, body: Body): Promise<Written> {
  const { spoolFolder, partSize } = connection.settings;
  const { signal, onSending } = body.options;
  const spool = new Spool(spoolFolder);
  try {
    await spool.fill(body, partSize);
    if (!(await body.more())) {
      const { size, sha256 } = spool;
      await putObject(
        connection,
        key,
        replayable(() => spool.content(onSending), size, sha256),
        signal,
      );
    } else {
      await putInParts(connection, key, body, spool);
    }
    return { size: body.taken, sha256: body.sha256 };
  } finally {
    await spool.close();
  }
}

/** The spool holds the first part. While parts are sent, the next one is filled. */
async function putInParts(connection: Connection, key: string, body: Body, first: Spool): Promise<void> {
  const { partSize, partsAtOnce, spoolFolder } = connection.settings;
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(body.options.signal ? [body.options.signal] : [])]);
  const upload = await MultipartPut.begin(connection, key, { ...body.options, signal });
  const others = Array.from({ length: partsAtOnce - 1 }, () => new Spool(spoolFolder));
  const spools = [first, ...others];
  const sent: Promise<void>[] = [];
  try {
    for (let number = 1; number === 1 || (await body.more()); number += 1) {
      const lane = (number - 1) % partsAtOnce;
      const spool = spools[lane] as Spool;
      await sent[lane];
      signal.throwIfAborted();
      if (number > 1) await spool.fill(body, partSize);
      sent[lane] = upload.send(spool, number);
      sent[lane].catch((error: unknown) => stop.abort(error));
    }
    await Promise.all(sent);
    await upload.complete();
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(sent);
    await upload.abort();
    throw error;
  } finally {
    await Promise.all(others.map((spool) => spool.close()));
  }
}

function inBlocks(content: Buffer): Readable {
  const block = 1024 * 1024;
  return Readable.from(
    (function* () {
      for (let at = 0; at < content.length; at += block) yield content.subarray(at, at + block);
    })(),
    { objectMode: false },
  );
}
