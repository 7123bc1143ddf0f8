import { TusMetadata } from '#contracts';
import { parseBody, parseId } from '#http';
import type { Wish } from '../sessions/creation.service.js';
import { invalid } from './refusals.js';

const KEY = /^[\x21-\x2b\x2d-\x7e]{1,128}$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const MAX_KEYS = 64;

/** Clients' names for what we call otherwise; the first that is there counts. */
const NAMES: Record<keyof TusMetadata, string[]> = {
  filename: ['filename', 'name'],
  content_type: ['filetype', 'type', 'content_type'],
  file_hash: ['file_hash', 'sha256'],
  priority: ['priority'],
  profile: ['profile'],
  user_id: ['user_id'],
  user_name: ['user_name'],
  batch_id: ['batch_id'],
};

const EXTENSION_OF: Record<string, string> = {
  'video/mp4': '.mp4',
  'video/quicktime': '.mov',
  'video/webm': '.webm',
  'video/x-matroska': '.mkv',
  'video/x-msvideo': '.avi',
  'video/ogg': '.ogv',
  'video/3gpp': '.3gp',
  'video/mp2t': '.ts',
};

/** What `Upload-Metadata` says about a file, but for its size; what it says beyond that are options. */
export function wishOf(header: string, extensions: ReadonlySet<string>): Omit<Wish, 'size'> {
  const given = parseMetadata(header);
  const take = (names: string[]) => {
    const found = names.map((name) => given.get(name)).find((value) => value);
    for (const name of names) given.delete(name);
    return found;
  };
  const known = Object.entries(NAMES).map(([key, names]) => [key, take(names)] as const);
  const wish = parseBody(TusMetadata, Object.fromEntries(known.filter(([, value]) => value !== undefined)));
  return {
    filename: wish.filename ?? nameless(wish.content_type, extensions),
    contentType: wish.content_type ?? null,
    fileHash: wish.file_hash ?? null,
    totalChunks: null,
    priority: wish.priority ?? null,
    profile: wish.profile ?? null,
    options: Object.fromEntries(given),
    userId: wish.user_id ?? null,
    userName: wish.user_name ?? null,
    batchId: wish.batch_id === undefined ? null : parseId(wish.batch_id),
  };
}

/** "The key and value MUST be separated by a space. The key MUST NOT contain spaces and commas and MUST NOT be empty." */
export function parseMetadata(header: string): Map<string, string> {
  const pairs = new Map<string, string>();
  if (header.trim() === '') return pairs;
  for (const pair of header.split(',')) {
    const [key = '', value = '', ...more] = pair.trim().split(' ');
    if (!KEY.test(key) || more.length > 0)
      throw invalid('Upload-Metadata must be pairs of a key and a value in Base64, separated by commas.');
    if (pairs.has(key)) throw invalid('Upload-Metadata has a key twice; every key must be unique.');
    pairs.set(key, decode(value));
    if (pairs.size > MAX_KEYS) throw invalid(`Upload-Metadata may have ${MAX_KEYS} keys; send fewer.`);
  }
  return pairs;
}

function decode(value: string): string {
  try {
    if (!BASE64.test(value)) throw new TypeError('not Base64');
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'base64'));
    // Postgres stores every character but this one.
    if (text.includes('\0')) throw new TypeError('NUL');
    return text;
  } catch {
    throw invalid('A value in Upload-Metadata is not UTF-8 text in Base64.');
  }
}

/** tus does not ask for a name, and everything else here shows one. */
function nameless(type: string | undefined, extensions: ReadonlySet<string>): string {
  const wanted = [EXTENSION_OF[type ?? ''] ?? '.mp4', '.mp4', ...extensions];
  return `upload${wanted.find((extension) => extensions.has(extension)) ?? ''}`;
}
