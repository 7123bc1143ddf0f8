import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy, type BusboyHeaders } from '@fastify/busboy';
import { SluiceError } from '#contracts';
import { incomplete } from '../chunks/body.js';

export interface FormFile {
  /** As the client sent it, path and all: to be checked. */
  filename: string;
  contentType: string | null;
  /** Must be read to its end, or destroyed, before the form can end. */
  stream: Readable;
}

export interface Form {
  /** The text fields that have come so far. */
  fields: Record<string, string>;
  /** The file part as soon as it begins; null when the form ends without one. */
  file: Promise<FormFile | null>;
  /** Name of the field that the file belongs in. */
  fileField: string;
  /** All of the form has been read. */
  end: Promise<void>;
}

const LIMITS = { files: 1, fields: 20, fieldSize: 32 * 1024, fieldNameSize: 100, headerPairs: 50, parts: 24 };

/** Names in a form that mean something to a door. */
export interface FormNames {
  file: string;
  /** Others are ignored. */
  fields: readonly string[];
}

/** Reads multipart/form-data as it comes; the file flows only as fast as it is read. */
export function readForm(headers: IncomingHttpHeaders, bytes: AsyncIterable<Buffer>, names: FormNames): Form {
  const busboy = open(headers);
  const fields: Record<string, string> = Object.create(null);
  let stream: Readable | undefined;
  const file = new Promise<FormFile | null>((resolve, reject) => {
    busboy.on('field', (name, value, nameCut, valueCut) => {
      if (nameCut || valueCut) busboy.destroy(invalid(`The field ${name.slice(0, 40)} is too long.`));
      else if (names.fields.includes(name)) fields[name] = value;
    });
    busboy.on('file', (name, part, filename, _encoding, contentType) => {
      stream = part;
      part.on('error', () => undefined);
      if (name !== names.file) busboy.destroy(invalid(`The file belongs in the field named ${names.file}.`));
      else resolve({ filename: filename ?? '', contentType: contentType ?? null, stream: part });
    });
    for (const limit of ['filesLimit', 'fieldsLimit', 'partsLimit'] as const) {
      busboy.on(limit, () =>
        busboy.destroy(invalid('One file and a few fields are expected in a form; send less at once.')),
      );
    }
    busboy.once('finish', () => resolve(null));
    busboy.once('error', (error) => reject(reasonOf(error)));
  });
  const end = pipeline(Readable.from(bytes, { objectMode: false }), busboy).catch((error: unknown) => {
    const reason = reasonOf(error);
    stream?.destroy(reason);
    throw reason;
  });
  // Whoever waits for one of them hears of the error; the other must not be an unhandled rejection.
  end.catch(() => undefined);
  file.catch(() => undefined);
  return { fields, fileField: names.file, file: Promise.race([file, end.then(() => file)]), end };
}

/** The file's bytes; a form that is cut off in the middle of them ends them with `chunk_incomplete`. */
export async function* fileBytes(file: FormFile): AsyncGenerator<Buffer> {
  try {
    for await (const part of file.stream) yield part as Buffer;
  } catch (error) {
    throw reasonOf(error);
  }
}

const reasonOf = (error: unknown) => (error instanceof SluiceError ? error : incomplete(error));

const invalid = (message: string) => new SluiceError('validation_failed', message);

function open(headers: IncomingHttpHeaders) {
  try {
    // With the path kept, a hostile name is refused instead of being made to look harmless.
    return new Busboy({ headers: headers as BusboyHeaders, limits: LIMITS, preservePath: true });
  } catch (error) {
    throw new SluiceError(
      'bad_request',
      'The form cannot be read; send multipart/form-data with its boundary.',
      {
        cause: error,
      },
    );
  }
}
