import { CreateSessionRequest } from '#contracts';
import { parseBody, parseId } from '#http';
import { emptyFile } from '../files/refusals.js';
import type { Wish } from './creation.service.js';

/** What a JSON body wishes for; throws `empty_file`, `validation_failed`, `malformed_id`. */
export function parseWish(body: unknown): Wish {
  if ((body as { size?: unknown } | null)?.size === 0) throw emptyFile();
  const request = parseBody(CreateSessionRequest, body);
  return {
    filename: request.filename,
    size: request.size,
    contentType: request.content_type ?? null,
    fileHash: request.file_hash ?? null,
    totalChunks: null,
    priority: request.priority ?? null,
    profile: request.profile ?? null,
    options: request.options ?? {},
    userId: request.user_id ?? null,
    userName: request.user_name ?? null,
    batchId: request.batch_id === undefined ? null : parseId(request.batch_id),
  };
}
