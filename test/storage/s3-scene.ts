import { randomBytes } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { type StorageEnvironment } from '#storage';
import { type S3Address, s3Address, testDir } from '#testing';

/** A bucket of its own on the real store of this run. */
export interface Bucket {
  name: string;
  /** The tests' own way to the store; the driver has another. */
  client: S3Client;
  /** What a store, or a service, is told. `endpoint` leads through a proxy. */
  environment(endpoint?: string): StorageEnvironment & Record<string, string>;
  keys(): Promise<string[]>;
  uploads(): Promise<number>;
  empty(): Promise<void>;
  remove(): Promise<void>;
}

export async function createBucket(): Promise<Bucket> {
  const address = await s3Address();
  const client = clientOf(address);
  const name = `sluice-${randomBytes(6).toString('hex')}`;
  await client.send(new CreateBucketCommand({ Bucket: name }));
  const scratch = await testDir('s3-scratch');
  const listed = async () =>
    (await client.send(new ListObjectsV2Command({ Bucket: name }))).Contents?.map(({ Key }) => Key ?? '') ??
    [];
  const unfinished = async () =>
    (await client.send(new ListMultipartUploadsCommand({ Bucket: name }))).Uploads ?? [];
  const empty = async () => {
    for (const { Key, UploadId } of await unfinished())
      await client.send(new AbortMultipartUploadCommand({ Bucket: name, Key, UploadId }));
    for (const Key of await listed()) await client.send(new DeleteObjectCommand({ Bucket: name, Key }));
  };
  return {
    name,
    client,
    environment: (endpoint = address.endpoint) => ({
      STORAGE_DRIVER: 's3',
      STORAGE_DIR: '',
      S3_ENDPOINT: endpoint,
      S3_REGION: address.region,
      S3_BUCKET: name,
      S3_ACCESS_KEY_ID: address.accessKeyId,
      S3_SECRET_ACCESS_KEY: address.secretAccessKey,
      S3_FORCE_PATH_STYLE: 'true',
      S3_PREFIX: 'video/',
      SCRATCH_DIR: scratch,
    }),
    keys: listed,
    uploads: async () => (await unfinished()).length,
    empty,
    async remove() {
      while ((await listed()).length > 0) await empty();
      await client.send(new DeleteBucketCommand({ Bucket: name }));
      client.destroy();
    },
  };
}

const clientOf = ({ endpoint, region, accessKeyId, secretAccessKey }: S3Address) =>
  new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
