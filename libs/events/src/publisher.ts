import { type EventType, FACTS_STREAM, FACTS_STREAM_MAX_LENGTH, type TenantFact } from '#contracts';
import { count } from '#observability';
import { createRedis } from '#queue';

type Rows = { query(sql: string, values: unknown[]): Promise<unknown> };
type Pipeline = ReturnType<ReturnType<typeof createRedis>['pipeline']>;

/** An entry of the stream: whoever follows neither its job nor its tenant need not read the fact. */
export function addFact(pipeline: Pipeline, told: TenantFact): void {
  pipeline.xadd(
    ...([FACTS_STREAM, 'MAXLEN', '~', FACTS_STREAM_MAX_LENGTH, '*'] as const),
    ...['job', told.fact.job_id, 'tenant', told.tenant_id, 'fact', JSON.stringify(told)],
  );
}

/**
 * Puts committed facts on the Redis stream. Losing one is no harm: rows answer whoever asks, so a
 * failure is reported and the caller goes on.
 */
export class FactPublisher {
  private readonly redis;

  constructor(
    redisUrl: string,
    name: string,
    private readonly rows: Rows,
    private readonly onError: (error: unknown) => void = () => undefined,
  ) {
    this.redis = createRedis(redisUrl, 'producer', `${name}-facts`);
  }

  async publish(...given: (TenantFact | null)[]): Promise<void> {
    const facts = given.filter((fact) => fact !== null);
    try {
      await this.addIds(facts);
    } catch (error) {
      // Without their ids the gateways take them from rows, which is slower.
      this.onError(error);
    }
    const pipeline = this.redis.pipeline();
    for (const fact of facts) addFact(pipeline, fact);
    try {
      await pipeline.exec();
      for (const told of facts) if (told) countFact(told.fact.event_type);
    } catch (error) {
      this.onError(error);
    }
  }

  /** A fact's position is known when it is committed, and not before. */
  private async addIds(facts: readonly TenantFact[]): Promise<void> {
    const durable = facts.map(({ fact }) => fact).filter((fact) => fact.durable);
    if (durable.length === 0) return;
    const rows = (await this.rows.query(
      `SELECT e.job_id, e.seq, e.position FROM unnest($1::uuid[], $2::bigint[]) AS f (job_id, seq)
       JOIN progress_events e ON e.job_id = f.job_id AND e.seq = f.seq`,
      [durable.map((fact) => fact.job_id), durable.map((fact) => fact.seq)],
    )) as { job_id: string; seq: number; position: number | null }[];
    for (const { job_id, seq, position } of rows) {
      const fact = durable.find((one) => one.job_id === job_id && one.seq === seq);
      if (fact && position !== null) fact.id = String(position);
    }
  }

  isReady(): boolean {
    return this.redis.status === 'ready';
  }

  close(): void {
    this.redis.disconnect();
  }
}

function countFact(type: EventType): void {
  if (type !== 'heartbeat') count('sluice_facts_total', { type });
}
