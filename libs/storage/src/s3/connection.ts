import { S3Client } from '@aws-sdk/client-s3';
import type { StoreWatch } from '../open-store.js';
import { Breaker } from './breaker.js';
import { HttpHandler } from './http-handler.js';
import type { S3Settings } from './settings.js';

/** Bodies on their way at once; what comes beyond waits, and its body is not read meanwhile. */
const BODY_SOCKETS = 256;
const ASK_SOCKETS = 32;
/** What it would say on the console comes to the caller as an error. */
const nothing = () => undefined;
const SILENT = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };

/**
 * Bodies go over connections of their own, so that questions (is it there, are you well) do not wait
 * behind clients that send slowly.
 */
export class Connection {
  readonly bodies: S3Client;
  readonly questions: S3Client;

  constructor(
    readonly settings: S3Settings,
    watch?: StoreWatch,
  ) {
    const breaker = new Breaker(watch);
    this.bodies = client(settings, new HttpHandler(BODY_SOCKETS, breaker));
    this.questions = client(settings, new HttpHandler(ASK_SOCKETS, breaker));
  }

  /** The object's place in the store, as every command names it. */
  at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.settings.bucket, Key: this.settings.prefix + key };
  }
}

function client(
  { endpoint, region, credentials, pathStyle }: S3Settings,
  requestHandler: HttpHandler,
): S3Client {
  return new S3Client({
    ...(endpoint ? { endpoint } : {}),
    ...(credentials ? { credentials } : {}),
    region,
    forcePathStyle: pathStyle,
    requestHandler,
    // Its checksums travel in a trailer that Swift and Ceph refuse; ours is in a signed header.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // We ask first ourselves, and know better what can be sent again (retry.ts).
    expectContinueHeader: false,
    maxAttempts: 1,
    logger: SILENT,
  });
}
