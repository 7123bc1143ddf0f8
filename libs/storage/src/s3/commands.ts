import { HeadObjectCommand, PutObjectCommand, UploadPartCommand } from '@aws-sdk/client-s3';
import type { Connection } from './connection.js';
import { isMissing } from './errors.js';
import { withRetries } from './retry.js';

/** Names the put that wrote an object: the only proof that an answer which was lost was a good one. */
const PUT_ID = 'sluice-put';

export const putIdMetadata = (putId: string): Record<string, string> => ({ [PUT_ID]: putId });

/**
 * The body's SHA-256, where it is known before the body is sent, as the header that the signature
 * covers: the store compares. Without it the SDK says UNSIGNED-PAYLOAD for streams.
 */
export function announcing<T extends PutObjectCommand | UploadPartCommand>(
  command: T,
  sha256: string | undefined,
): T {
  if (sha256 === undefined) return command;
  const stack = command.middlewareStack as PutObjectCommand['middlewareStack'];
  stack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      headers['x-amz-content-sha256'] = sha256;
      return next(args);
    },
    { step: 'build', name: 'announceSha256' },
  );
  return command;
}

export interface ObjectHead {
  /** Bytes. */
  size: number;
  modified: Date;
  putId: string | undefined;
}

export async function head(
  connection: Connection,
  key: string,
  signal?: AbortSignal,
): Promise<ObjectHead | null> {
  return withRetries(
    async () => {
      try {
        const answer = await connection.questions.send(new HeadObjectCommand(connection.at(key)), {
          abortSignal: signal,
        });
        return {
          size: answer.ContentLength ?? 0,
          modified: answer.LastModified ?? new Date(0),
          putId: answer.Metadata?.[PUT_ID],
        };
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    { signal },
  );
}

/** Whether this very put is what the store shows; false also when the store does not say. */
export async function hasLanded(
  connection: Connection,
  key: string,
  { putId, size }: { putId: string; size: number },
): Promise<boolean> {
  const object = await head(connection, key).catch(() => null);
  return object?.putId === putId && object.size === size;
}
