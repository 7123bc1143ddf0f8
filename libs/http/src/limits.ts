import { isIP } from 'node:net';
import type { Environment } from '#config';
import { type Principal, SluiceError } from '#contracts';
import { type Rate, RateLimiter } from '#queue';

/** `free`: media, which players fetch as fast as they play. `bytes`: chunks of a file, bounded by their own pace. */
export type RequestKind = 'ordinary' | 'bytes' | 'free';

interface Asked {
  ip: string;
  kind: RequestKind;
}

/** What may come at once after a pause: ten seconds' worth. */
const BURST_SHARE = 6;
const LEAST_BURST = 10;

/** How often one may ask, by address before anything else is looked at, and by key once it is known (429 `rate_limited`). */
export class Limits {
  private readonly limiter: RateLimiter;

  constructor(
    private readonly environment: Environment,
    name: string,
  ) {
    this.limiter = new RateLimiter(environment.REDIS_URL, name);
  }

  /** Whoever is on this machine is not limited by address: it is the only one in an open installation. */
  async ofAddress({ ip, kind }: Asked): Promise<void> {
    if (isLoopback(ip)) return;
    const { RATE_LIMIT_ADDRESS_PER_MINUTE, RATE_LIMIT_CHUNKS_PER_MINUTE } = this.environment;
    const [perMinute, name] =
      kind === 'bytes'
        ? [RATE_LIMIT_CHUNKS_PER_MINUTE, 'chunks']
        : [RATE_LIMIT_ADDRESS_PER_MINUTE, 'address'];
    await this.take(kind, `${name}:${networkOf(ip)}`, perMinute);
  }

  /** Wrong keys and tokens count as ordinary requests, whatever was asked with them. Throws the error itself, or `rate_limited`. */
  async ofWrongOne({ ip, kind }: Asked, error: unknown): Promise<never> {
    const isWrong = error instanceof SluiceError && error.code === 'credentials_invalid';
    if (isWrong && kind !== 'ordinary') await this.ofAddress({ ip, kind: 'ordinary' });
    throw error;
  }

  /** A key's own budget, or that of a person with an upload token, from wherever the requests come. */
  async ofPrincipal({ kind }: Pick<Asked, 'kind'>, principal: Principal): Promise<void> {
    if (principal.kind === 'open' || kind === 'bytes') return;
    const who =
      principal.kind === 'key'
        ? `key:${principal.keyId}`
        : `person:${principal.tenantId}:${principal.userId ?? principal.sessionId ?? ''}`;
    await this.take(kind, who, this.environment.RATE_LIMIT_KEY_PER_MINUTE);
  }

  close(): void {
    this.limiter.close();
  }

  private async take(kind: RequestKind, bucket: string, perMinute: number): Promise<void> {
    if (kind === 'free' || perMinute === 0) return;
    const waitMs = await this.limiter.take(bucket, rateOf(perMinute));
    if (waitMs === 0) return;
    const seconds = Math.ceil(waitMs / 1000);
    throw new SluiceError(
      'rate_limited',
      `That is too many requests; wait ${seconds} s and go on more slowly.`,
      {
        details: { retry_after: seconds },
      },
    );
  }
}

const rateOf = (perMinute: number): Rate => ({
  perMinute,
  burst: Math.max(LEAST_BURST, Math.ceil(perMinute / BURST_SHARE)),
});

const withoutMapping = (ip: string) => ip.replace(/^::ffff:(?=\d+\.)/i, '');

function isLoopback(address: string): boolean {
  const ip = withoutMapping(address);
  return ip === '::1' || (isIP(ip) === 4 && ip.startsWith('127.'));
}

/** Of IPv6 a customer has at least 64 bits to himself. */
export function networkOf(address: string): string {
  const ip = withoutMapping(address);
  if (isIP(ip) !== 6) return ip;
  const [head = '', tail] = ip.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail ? tail.split(':') : [];
  const all =
    tail === undefined
      ? front
      : [...front, ...Array(Math.max(0, 8 - front.length - back.length)).fill('0'), ...back];
  return `${all.slice(0, 4).join('.')}_64`;
}
