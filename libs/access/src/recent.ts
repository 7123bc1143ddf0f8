/** Answers that many requests share for a moment: one flight for each key, and a failure is not kept. */
export class Recent<V> {
  private readonly entries = new Map<string, { until: number; value: Promise<V> }>();

  constructor(
    private readonly limit: number,
    private readonly ttlMs: number,
  ) {}

  read(key: string, load: () => Promise<V>): Promise<V> {
    const known = this.entries.get(key);
    if (known && performance.now() < known.until) return known.value;
    this.entries.delete(key);
    const value = load();
    this.entries.set(key, { until: performance.now() + this.ttlMs, value });
    value.catch(() => this.entries.delete(key));
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= this.limit) break;
      this.entries.delete(oldest);
    }
    return value;
  }
}
