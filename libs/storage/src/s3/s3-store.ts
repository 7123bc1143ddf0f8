import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import { checkKey, checkPrefix, isKey } from '../keys.js';
import type { StoreWatch } from '../open-store.js';
import type { ByteRange, ObjectStore, PutOptions, StoredObject } from '../port.js';
import type { StorageEnvironment } from '../storage-environment.js';
import { head } from './commands.js';
import { Connection } from './connection.js';
import { isMissing, isNoSuchUpload, toStorageError } from './errors.js';
import { get } from './get.js';
import { put } from './put.js';
import { withRetries } from './retry.js';
import { type S3Settings, s3Settings } from './settings.js';

const DELETES_AT_ONCE = 16;
/** Who asks (a probe) waits no longer. */
const CHECK_MS = 5000;
/** A write that was confirmed proves this long that there can be more. */
const PROOF_MS = 60_000;
/** Begins with a dot: no key of ours. */
const PROBE = '.check';

/** Objects in a bucket of any store that speaks S3 (docs/adr/0008-chunks-in-s3.md). */
class S3Store implements ObjectStore {
  private readonly connection: Connection;
  private provenUntil = 0;

  constructor(settings: S3Settings, watch?: StoreWatch) {
    this.connection = new Connection(settings, watch);
  }

  async put(
    key: string,
    body: Readable | Buffer,
    options: PutOptions = {},
  ): Promise<{ size: number; sha256: string }> {
    const written = await put(this.connection, checkKey(key), body, options);
    this.provenUntil = Date.now() + PROOF_MS;
    return written;
  }

  async get(key: string, range?: ByteRange, signal?: AbortSignal): Promise<Readable> {
    return get(this.connection, checkKey(key), range, signal);
  }

  async each(key: string, take: (bytes: Buffer) => void, range?: ByteRange): Promise<void> {
    for await (const part of await this.get(key, range)) take(part as Buffer);
  }

  async stat(key: string): Promise<StoredObject | null> {
    const object = await head(this.connection, checkKey(key));
    return object && { key, size: object.size, modified: object.modified };
  }

  async delete(key: string): Promise<void> {
    await this.remove(checkKey(key));
  }

  /** One by one: stores differ in what they want of a request for many (Swift a Content-MD5), some have none. */
  async deletePrefix(prefix: string): Promise<void> {
    if (checkPrefix(prefix) === '') throw new TypeError('deleting everything is not what a prefix is for');
    let batch: string[] = [];
    for await (const { key } of this.list(prefix)) {
      batch.push(key);
      if (batch.length < DELETES_AT_ONCE) continue;
      await this.removeAll(batch);
      batch = [];
    }
    await this.removeAll(batch);
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    checkPrefix(prefix);
    const { bucket, prefix: root } = this.connection.settings;
    for (let token: string | undefined, more = true; more; ) {
      const page = await withRetries(() =>
        this.connection.questions.send(
          new ListObjectsV2Command({ Bucket: bucket, Prefix: root + prefix, ContinuationToken: token }),
        ),
      );
      for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
        const key = Key.slice(root.length);
        // A bucket may hold what is not ours.
        if (isKey(key)) yield { key, size: Size, modified: LastModified };
      }
      token = page.NextContinuationToken;
      more = page.IsTruncated === true && token !== undefined;
    }
  }

  async sweepUnfinished(olderThan: Date): Promise<number> {
    const { bucket, prefix } = this.connection.settings;
    let swept = 0;
    let from: { KeyMarker?: string; UploadIdMarker?: string } | null = {};
    while (from) {
      const place: { KeyMarker?: string; UploadIdMarker?: string } = from;
      const page = await withRetries(() =>
        this.connection.questions.send(
          new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...place }),
        ),
      );
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (!Initiated || Initiated >= olderThan || !isKey(Key?.slice(prefix.length) ?? '')) continue;
        if (await this.abortUpload({ Bucket: bucket, Key, UploadId })) swept += 1;
      }
      from = page.IsTruncated
        ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
        : null;
    }
    return swept;
  }

  /** Asked every few seconds by every process: the bucket, and only when nothing was written lately a write. */
  async check(): Promise<void> {
    const { connection } = this;
    try {
      await connection.questions.send(new HeadBucketCommand({ Bucket: connection.settings.bucket }), {
        abortSignal: AbortSignal.timeout(CHECK_MS),
      });
    } catch (error) {
      throw toStorageError(error);
    }
    if (Date.now() < this.provenUntil) return;
    await put(connection, PROBE, Buffer.from('.'), {});
    await this.remove(PROBE);
    this.provenUntil = Date.now() + PROOF_MS;
  }

  private async removeAll(keys: string[]): Promise<void> {
    await Promise.all(keys.map((key) => this.remove(key)));
  }

  private async remove(key: string): Promise<void> {
    const { connection } = this;
    await withRetries(async () => {
      try {
        await connection.questions.send(new DeleteObjectCommand(connection.at(key)));
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    });
  }

  private async abortUpload(upload: {
    Bucket: string;
    Key: string | undefined;
    UploadId: string | undefined;
  }): Promise<boolean> {
    return withRetries(async () => {
      try {
        await this.connection.questions.send(new AbortMultipartUploadCommand(upload));
        return true;
      } catch (error) {
        if (isNoSuchUpload(error) || isMissing(error)) return false;
        throw error;
      }
    });
  }
}

export const openS3Store = (environment: StorageEnvironment, watch?: StoreWatch): ObjectStore =>
  new S3Store(s3Settings(environment), watch);
