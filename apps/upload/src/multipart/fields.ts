import { MultipartFields, SluiceError } from '#contracts';
import { parseBody, parseId } from '#http';

/** The fields of S3-01 as the code uses them; null is what was not sent. */
export interface FormFields {
  sessionId: string | null;
  chunkIndex: number | null;
  totalChunks: number | null;
  fileHash: string | null;
  priority: number | null;
  options: Record<string, unknown>;
  batchId: string | null;
  key: string | null;
}

/** Empty ones are ignored: forms send every input that they have. */
export function parseFields(raw: Record<string, string>): FormFields {
  const given = Object.entries(raw).filter(([, value]) => value !== '');
  const fields = parseBody(MultipartFields, Object.fromEntries(given));
  const parsed: FormFields = {
    sessionId: fields.session_id === undefined ? null : parseId(fields.session_id),
    chunkIndex: fields.chunk_index ?? null,
    totalChunks: fields.total_chunks ?? null,
    fileHash: fields.file_hash ?? null,
    priority: fields.priority ?? null,
    options: parseOptions(fields.options),
    batchId: fields.batch_id === undefined ? null : parseId(fields.batch_id),
    key: fields.key ?? null,
  };
  if (isChunk(parsed) && parsed.chunkIndex === null) {
    throw new SluiceError(
      'validation_failed',
      'chunk_index is missing; it says which chunk of the file this is, from 0.',
    );
  }
  return parsed;
}

/** One chunk of a file, not a whole one. */
export const isChunk = (fields: FormFields) =>
  fields.sessionId !== null || fields.chunkIndex !== null || (fields.totalChunks ?? 1) > 1;

function parseOptions(text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {};
  try {
    const options: unknown = JSON.parse(text);
    if (typeof options === 'object' && options !== null && !Array.isArray(options))
      return options as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new SluiceError('validation_failed', 'options must be a JSON object as text.');
}
