import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { SluiceError } from '#contracts';
import type { PutOptions } from '../port.js';
import { announcing, hasLanded, putIdMetadata } from './commands.js';
import type { Connection } from './connection.js';
import { isTransient, toStorageError } from './errors.js';
import { ATTEMPTS, backoff, withRetries } from './retry.js';
import type { Spool } from './spool.js';

const MOST_PARTS = 10_000;

/** A large object, sent in parts; nobody sees any of it before `complete`. */
export class MultipartPut {
  private readonly parts: { PartNumber: number; ETag: string | undefined }[] = [];
  private size = 0;

  private constructor(
    private readonly connection: Connection,
    private readonly key: string,
    private readonly uploadId: string,
    private readonly putId: string,
    private readonly options: Pick<PutOptions, 'signal' | 'onSending'>,
  ) {}

  /** A lost answer leaves an upload that we do not know; the sweep ends it. */
  static async begin(
    connection: Connection,
    key: string,
    options: Pick<PutOptions, 'signal' | 'onSending'>,
  ): Promise<MultipartPut> {
    const { signal } = options;
    const putId = randomUUID();
    const { UploadId } = await withRetries(
      () =>
        connection.questions.send(
          new CreateMultipartUploadCommand({ ...connection.at(key), Metadata: putIdMetadata(putId) }),
          { abortSignal: signal },
        ),
      { signal },
    );
    if (!UploadId) throw toStorageError(new Error('the store gave no id for the upload'));
    return new MultipartPut(connection, key, UploadId, putId, options);
  }

  /** Parts may be sent at once; `part` may be filled again when this resolves. */
  async send(part: Spool, PartNumber: number): Promise<void> {
    if (PartNumber > MOST_PARTS) {
      throw new SluiceError(
        'body_too_large',
        'The object has more parts than a store takes; store it in pieces.',
      );
    }
    const { ETag } = await withRetries(() => this.attempt(part, PartNumber), {
      signal: this.options.signal,
    });
    this.parts[PartNumber - 1] = { PartNumber, ETag };
    this.size += part.size;
  }

  /**
   * A store may say no with status 200, say no after it has done it, or say nothing: then the object
   * itself decides.
   */
  async complete(): Promise<void> {
    const { connection, key, putId, size } = this;
    const { signal } = this.options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await connection.questions.send(
          new CompleteMultipartUploadCommand({ ...this.upload(), MultipartUpload: { Parts: this.parts } }),
        );
        return;
      } catch (error) {
        if (await hasLanded(connection, key, { putId, size })) return;
        signal?.throwIfAborted();
        if (!isTransient(error) || attempt === ATTEMPTS) throw toStorageError(error);
      }
      await backoff(attempt, signal).catch(() => signal?.throwIfAborted());
    }
  }

  /** Best effort: what is left is ended by the sweep or by the bucket's lifecycle rule. */
  async abort(): Promise<void> {
    await withRetries(() =>
      this.connection.questions.send(new AbortMultipartUploadCommand(this.upload())),
    ).catch(() => undefined);
  }

  private async attempt(part: Spool, PartNumber: number) {
    const body = part.content(this.options.onSending);
    const command = new UploadPartCommand({
      ...this.upload(),
      PartNumber,
      Body: body,
      ContentLength: part.size,
    });
    try {
      return await this.connection.bodies.send(announcing(command, part.sha256), {
        abortSignal: this.options.signal,
      });
    } finally {
      if (body instanceof Readable) body.destroy();
    }
  }

  private upload() {
    return { ...this.connection.at(this.key), UploadId: this.uploadId };
  }
}
