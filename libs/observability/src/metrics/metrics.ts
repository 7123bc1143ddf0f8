import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import {
  type CounterName,
  type GaugeLabels,
  type GaugeName,
  type HistogramName,
  type LabelsOf,
  METRICS,
  type Metric,
} from './catalogue.js';

/** What this process has counted. One per process, like the process's own figures beside it. */
const registry = new Registry();
const counters = new Map<string, Counter>();
const histograms = new Map<string, Histogram>();

/** Makes the metrics of this service appear, counters at 0. Before it, and elsewhere, counting does nothing. */
export function openMetrics(service: string): void {
  collectDefaultMetrics({ register: registry });
  for (const [name, metric] of Object.entries(METRICS) as [string, Metric][]) {
    if (metric.service !== service && metric.service !== 'every') continue;
    const common = { name, help: metric.help, registers: [registry] };
    if (metric.kind === 'counter') {
      const counter = new Counter({ ...common, labelNames: Object.keys(metric.labels) });
      for (const labels of combinations(metric.labels)) counter.inc(labels, 0);
      counters.set(name, counter);
    } else if (metric.kind === 'histogram') {
      histograms.set(name, new Histogram({ ...common, buckets: [...metric.buckets] }));
    }
  }
}

export function count<N extends CounterName>(name: N, labels: LabelsOf<N>, by = 1): void {
  counters.get(name)?.inc(labels as Record<string, string>, by);
}

export function observe(name: HistogramName, value: number): void {
  histograms.get(name)?.observe(value);
}

/** A gauge that is asked when somebody looks. What cannot be told now is left out. */
export function gauge<N extends GaugeName>(
  name: N,
  read: () => Promise<{ labels: GaugeLabels<N>; value: number }[]>,
): void {
  const { help, labels }: { help: string; labels: readonly string[] } = METRICS[name];
  new Gauge({
    ...{ name, help, labelNames: [...labels], registers: [registry] },
    async collect() {
      const values = await read().catch(() => []);
      this.reset();
      for (const { labels, value } of values) this.set(labels as Record<string, string>, value);
    },
  });
}

/** The Prometheus text format. */
export async function exposeMetrics(): Promise<{ contentType: string; text: string }> {
  return { contentType: registry.contentType, text: await registry.metrics() };
}

function combinations(labels: Record<string, readonly string[]>): Record<string, string>[] {
  return Object.entries(labels).reduce<Record<string, string>[]>(
    (all, [name, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  );
}
