import { FACTS_STREAM, FACTS_STREAM_MAX_LENGTH, type TenantFact } from '#contracts';
import { createRedis } from '#queue';

/**
 * Puts committed facts on the Redis stream. Losing one is no harm: rows answer whoever asks, so a
 * failure is reported and the caller goes on.
 */
export class FactPublisher {
  private readonly redis;

  constructor(
    redisUrl: string,
    name: string,
    private readonly onError: (error: unknown) => void = () => undefined,
  ) {
    this.redis = createRedis(redisUrl, 'producer', `${name}-facts`);
  }

  async publish(...facts: (TenantFact | null)[]): Promise<void> {
    const pipeline = this.redis.pipeline();
    for (const fact of facts) {
      if (fact)
        pipeline.xadd(
          FACTS_STREAM,
          'MAXLEN',
          '~',
          FACTS_STREAM_MAX_LENGTH,
          '*',
          'fact',
          JSON.stringify(fact),
        );
    }
    try {
      await pipeline.exec();
    } catch (error) {
      this.onError(error);
    }
  }

  isReady(): boolean {
    return this.redis.status === 'ready';
  }

  close(): void {
    this.redis.disconnect();
  }
}
