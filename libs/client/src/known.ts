import type { KnownFileData, ProfileName } from '#contracts';
import type { Range } from './ranges.js';
import { readRange } from './sender.js';
import { Sha256 } from './sha256.js';
import type { UploadSource } from './source.js';
import type { Transport } from './transport.js';

/** What the service compares: so much of the beginning and of the end (docs/contracts.md). */
const EDGE_BYTES = 1024 * 1024;
/** Of one read while the whole file is hashed. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** The answer is worth less than a late start. */
const PATIENCE_MS = 3000;

/**
 * The SHA-256 of a file that the service may know (S3-08). Undefined: it does not, so that hashing would
 * only keep the upload waiting, or nobody could say. Never throws; the upload finds out what is wrong.
 */
export async function hashIfKnown(
  transport: Transport,
  source: UploadSource,
  {
    profile,
    options,
    signal,
  }: {
    profile?: ProfileName | undefined;
    options?: Record<string, unknown> | undefined;
    signal?: AbortSignal | undefined;
  },
): Promise<string | undefined> {
  try {
    const edges = await hashEdges(source);
    const patience = AbortSignal.timeout(PATIENCE_MS);
    const { possible } = await transport.send<KnownFileData>({
      method: 'POST',
      path: '/v1/upload/video/known',
      body: JSON.stringify({ size: source.size, edges_sha256: edges, profile, options }),
      headers: { 'content-type': 'application/json' },
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
      attempts: 1,
    });
    if (possible !== true) return undefined;
    return await (source.sha256?.(signal) ?? hashRanges(source, [[0, source.size]], signal));
  } catch {
    return undefined;
  }
}

function hashEdges(source: UploadSource): Promise<string> {
  const { size } = source;
  if (size <= 2 * EDGE_BYTES) return hashRanges(source, [[0, size]]);
  return hashRanges(source, [
    [0, EDGE_BYTES],
    [size - EDGE_BYTES, size],
  ]);
}

async function hashRanges(source: UploadSource, ranges: Range[], signal?: AbortSignal): Promise<string> {
  const hash = new Sha256();
  for (const [from, to] of ranges) {
    for (let at = from; at < to; at += PIECE_BYTES) {
      signal?.throwIfAborted();
      hash.update(await readRange(source, at, Math.min(at + PIECE_BYTES, to)));
    }
  }
  return hash.hex();
}
