import { createHash, type Hash } from 'node:crypto';
import { SluiceError } from '#contracts';
import { invalid } from './refusals.js';

const DIGEST_BYTES = { sha256: 32, sha1: 20, md5: 16 } as const;
export const CHECKSUM_ALGORITHMS = Object.keys(DIGEST_BYTES);

/** `Upload-Checksum: sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=`, over the body of one request. */
export class Checksum {
  private readonly hash: Hash;

  private constructor(
    algorithm: string,
    private readonly expected: Buffer,
  ) {
    this.hash = createHash(algorithm);
  }

  /** Null without the header; throws when it names an algorithm that is not ours, or no digest of it. */
  static from(header: string | string[] | undefined): Checksum | null {
    if (header === undefined) return null;
    const [, algorithm = '', digest = ''] = /^(\S{1,16}) (\S{1,128})$/.exec(String(header)) ?? [];
    if (!CHECKSUM_ALGORITHMS.includes(algorithm)) {
      throw invalid(
        `Upload-Checksum must be one of ${CHECKSUM_ALGORITHMS.join(', ')}, a space, and the digest in Base64.`,
      );
    }
    const expected = Buffer.from(digest, 'base64');
    if (expected.length !== DIGEST_BYTES[algorithm as keyof typeof DIGEST_BYTES]) {
      throw invalid(`The digest in Upload-Checksum is not one of ${algorithm} in Base64.`);
    }
    return new Checksum(algorithm, expected);
  }

  /** The same bytes, counted in as they go by. */
  async *over(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const part of bytes) {
      this.hash.update(part);
      yield part;
    }
  }

  /** Throws unless the bytes that went by have the announced digest. */
  verify(): void {
    if (this.hash.digest().equals(this.expected)) return;
    throw new SluiceError(
      'upload_checksum_mismatch',
      'The bytes that arrived do not have the announced Upload-Checksum; send them again from the same offset.',
    );
  }
}
