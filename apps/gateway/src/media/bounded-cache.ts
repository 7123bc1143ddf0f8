/** A map that drops what was not asked for longest once it holds more than `limit` entries. */
export class BoundedCache<V> {
  private readonly entries = new Map<string, V>();

  constructor(private readonly limit: number) {}

  get(key: string): V | undefined {
    const value = this.entries.get(key);
    if (value === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    this.entries.delete(key);
    this.entries.set(key, value);
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= this.limit) return;
      this.entries.delete(oldest);
    }
  }
}

/**
 * Reads of the same key share one answer for `ttlMs`, and one flight: however many players poll, the
 * database is asked once in that time. A failure is not kept.
 */
export class SharedReads<V> {
  private readonly cache: BoundedCache<{ until: number; value: Promise<V> }>;

  constructor(
    limit: number,
    private readonly ttlMs: number,
  ) {
    this.cache = new BoundedCache(limit);
  }

  read(key: string, load: () => Promise<V>): Promise<V> {
    const known = this.cache.get(key);
    if (known && performance.now() < known.until) return known.value;
    const entry = { until: Number.POSITIVE_INFINITY, value: load() };
    this.cache.set(key, entry);
    entry.value.then(
      () => {
        entry.until = performance.now() + this.ttlMs;
      },
      () => {
        entry.until = 0;
      },
    );
    return entry.value;
  }
}
