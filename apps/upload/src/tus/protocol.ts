import type { IncomingHttpHeaders } from 'node:http';
import { SluiceError } from '#contracts';
import { CHECKSUM_ALGORITHMS } from './checksum.js';
import { invalid } from './refusals.js';

export const TUS_VERSION = '1.0.0';
export const TUS_PATH = '/files';
export const OFFSET_STREAM = 'application/offset+octet-stream';
export const EXTENSIONS = [
  'creation',
  'creation-with-upload',
  'creation-defer-length',
  'expiration',
  'checksum',
  'termination',
  'concatenation',
];

/** For pages of other origins: what tus clients send, and what they must be able to read. */
export const TUS_CORS = {
  send: [
    'tus-resumable',
    'upload-length',
    'upload-offset',
    'upload-metadata',
    'upload-defer-length',
    'upload-concat',
    'upload-checksum',
    'x-http-method-override',
    'x-requested-with',
    'x-request-id',
  ],
  read: [
    'location',
    'tus-resumable',
    'tus-version',
    'tus-extension',
    'tus-max-size',
    'tus-checksum-algorithm',
    'upload-offset',
    'upload-length',
    'upload-expires',
    'upload-metadata',
    'upload-defer-length',
    'upload-concat',
  ],
};

export const METHODS = ['OPTIONS', 'HEAD', 'POST', 'PATCH', 'DELETE'] as const;
export type TusMethod = (typeof METHODS)[number];

/** What a verb answers with; bodies are only for errors. */
export interface TusAnswer {
  status: number;
  headers: Record<string, string>;
}

export const capabilities = (maxSize: number): Record<string, string> => ({
  'tus-version': TUS_VERSION,
  'tus-extension': EXTENSIONS.join(','),
  'tus-max-size': String(maxSize),
  'tus-checksum-algorithm': CHECKSUM_ALGORITHMS.join(','),
});

/** "The Tus-Resumable header MUST be included in every request and response except for OPTIONS requests." */
export function refuseOtherVersions(headers: IncomingHttpHeaders): void {
  if (headers['tus-resumable'] === TUS_VERSION) return;
  throw new SluiceError(
    'tus_version_unsupported',
    `This address speaks tus ${TUS_VERSION}; send Tus-Resumable: ${TUS_VERSION} with every request.`,
  );
}

/** A header that is a whole number of bytes; null when it is not there. */
export function bytesHeader(headers: IncomingHttpHeaders, name: string): number | null {
  const text = headers[name];
  if (text === undefined) return null;
  const value = typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw invalid(`${name} must be a whole number of bytes.`);
  return value;
}

export function isOffsetStream(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']?.split(';')[0]?.trim().toLowerCase() === OFFSET_STREAM;
}

/** Whether bytes come with the request; how many is not always known. */
export const hasBody = (headers: IncomingHttpHeaders) =>
  headers['transfer-encoding'] !== undefined || (bytesHeader(headers, 'content-length') ?? 0) > 0;

export const notOffsetStream = () =>
  new SluiceError(
    'unsupported_media_type',
    `The bytes of an upload are sent as ${OFFSET_STREAM}; set the Content-Type header.`,
  );
