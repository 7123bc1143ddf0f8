import { createHash, randomBytes, randomFillSync } from 'node:crypto';

export interface Chunk {
  index: number;
  offset: number;
  bytes: Buffer;
  /** Lower-case hex. */
  sha256: string;
}

const PART = 64 * 1024 * 1024;
/** Where each file of a run differs from the last: behind the file type box, within the first chunk. */
const NONCE = { at: 64, length: 32 };

/** A file in memory, random but for the start of an MP4; its hashes are made before the clock runs. */
export class Payload {
  readonly bytes: Buffer;
  chunks: Chunk[] = [];
  sha256 = '';

  constructor(
    size: number,
    readonly chunkSize: number,
  ) {
    this.bytes = Buffer.allocUnsafe(size);
    for (let at = 0; at < size; at += PART) randomFillSync(this.bytes, at, Math.min(PART, size - at));
    this.bytes.writeUInt32BE(24, 0);
    this.bytes.write('ftypisom', 4, 'latin1');
    this.renew();
  }

  /** Another file of the same size, that nobody has seen. */
  renew(): this {
    randomBytes(NONCE.length).copy(this.bytes, NONCE.at);
    const chunks: Chunk[] = [];
    for (let offset = 0; offset < this.bytes.length; offset += this.chunkSize) {
      const bytes = this.bytes.subarray(offset, offset + this.chunkSize);
      const known = this.chunks[chunks.length];
      chunks.push({
        index: chunks.length,
        offset,
        bytes,
        sha256: offset > 0 && known ? known.sha256 : sha256(bytes),
      });
    }
    this.chunks = chunks;
    this.sha256 = sha256(this.bytes);
    return this;
  }
}

/** In parts, because one update takes at most 2 GiB. */
function sha256(bytes: Buffer): string {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += PART) hash.update(bytes.subarray(at, at + PART));
  return hash.digest('hex');
}
