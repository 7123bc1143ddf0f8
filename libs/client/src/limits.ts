import { type ClientErrorCode, SluiceClientError } from './errors.js';

/** What a file must be before a byte of it is sent (S2-01). */
export interface FileLimits {
  /** Bytes. */
  minSize: number;
  /** Bytes; null: whoever receives it decides. */
  maxSize: number | null;
  /** Lower case, with their dot; null: whoever receives it decides. */
  extensions: readonly string[] | null;
}

const TYPES: Record<string, string> = {
  '.mp4': 'video/mp4',
  '.m4v': 'video/x-m4v',
  '.mov': 'video/quicktime',
  '.avi': 'video/x-msvideo',
  '.mkv': 'video/x-matroska',
  '.webm': 'video/webm',
  '.ogg': 'video/ogg',
  '.ogv': 'video/ogg',
  '.3gp': 'video/3gpp',
  '.ts': 'video/mp2t',
  '.m2ts': 'video/mp2t',
};

export const DEFAULT_LIMITS: FileLimits = {
  minSize: 1024,
  maxSize: 500 * 1024 * 1024,
  extensions: Object.keys(TYPES),
};

/** The upload service says itself what is too large and which extensions it takes, when the session is opened. */
export const SERVICE_LIMITS: FileLimits = { ...DEFAULT_LIMITS, maxSize: null, extensions: null };

/** Types of containers that may hold a video, though they do not say so. */
const UNDECIDED = new Set([
  'application/octet-stream',
  'application/mp4',
  'application/ogg',
  'application/x-matroska',
  'audio/ogg',
]);
/** Systems take it for the source of a program, or a translation. */
const MISTAKEN = '.ts';

/** The type of a file with this name, where its name tells. */
export const typeOf = (name: string): string => TYPES[extensionOf(name)] ?? 'application/octet-stream';

/** Throws a SluiceClientError with a code for each limit. */
export function checkFile(file: { name: string; size: number; type?: string }, limits: FileLimits): void {
  const extension = extensionOf(file.name);
  if (limits.extensions && !limits.extensions.includes(extension)) {
    throw refused(
      'extension_not_allowed',
      `is not a kind of video that can be used; choose one of ${limits.extensions.join(' ')}.`,
    );
  }
  const type = (file.type ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type !== '' && !type.startsWith('video/') && !UNDECIDED.has(type) && extension !== MISTAKEN) {
    throw refused('not_a_video_type', `is of the type ${forMessage(type)}; choose a video.`);
  }
  if (file.size < limits.minSize) {
    const message = `has ${file.size} bytes, and a video has at least ${limits.minSize}; choose another file.`;
    throw refused(file.size === 0 ? 'empty_file' : 'file_too_small', message);
  }
  if (limits.maxSize !== null && file.size > limits.maxSize) {
    throw refused('file_too_large', `has ${file.size} bytes; at most ${limits.maxSize} can be sent.`);
  }

  function refused(code: ClientErrorCode, message: string): SluiceClientError {
    return new SluiceClientError(code, `${forMessage(file.name)} ${message}`);
  }
}

function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? '' : name.slice(dot).toLowerCase();
}

/** Messages go to logs (S2-06): on one line, and not longer than a name may be. */
export const forMessage = (text: string): string => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?').slice(0, 255);
