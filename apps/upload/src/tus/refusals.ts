import { SluiceError } from '#contracts';

export const invalid = (message: string) => new SluiceError('validation_failed', message);

/** "If the offsets do not match, the Server MUST respond with the 409 Conflict status." */
export const offsetMismatch = (offset: number) =>
  new SluiceError(
    'upload_offset_mismatch',
    `This upload goes on at byte ${offset}; ask for the offset and send what follows it.`,
    { details: { offset } },
  );

/** "The Server MUST respond with the 403 Forbidden status to PATCH requests against a final upload." */
export const isFinal = () =>
  new SluiceError(
    'upload_is_final',
    'This upload is put together from partial uploads and takes no bytes of its own.',
  );

export const beyondLength = (length: number) =>
  new SluiceError(
    'chunk_out_of_range',
    `The upload has ${length} bytes, and more were sent; send what lies inside of it.`,
    { details: { size: length } },
  );

export const uploadNotFound = () =>
  new SluiceError(
    'session_not_found',
    'There is no upload at this address; create one and send the file there.',
  );
