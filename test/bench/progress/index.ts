import { startBacking } from '../backing.js';
import { type Figure, higherIsBetter, lowerIsBetter, median, table } from '../figures.js';
import type { Kind } from './contenders.js';
import { killOurs, killPeer } from './kill.js';
import { heldRate, LIMIT_MS, type Load, rise } from './load.js';

export interface ProgressOptions {
  quick: boolean;
  pairs: number;
  say: (text: string) => void;
}

const BENCH = 'progress';
const KINDS: Kind[] = ['ours', 'streams', 'redis'];
const SIZES = { full: [1000, 2000], quick: [200] };
/** Facts a second; each reaches ten clients. */
const RATES = {
  full: [
    1000, 2000, 2500, 3000, 3500, 4000, 4500, 5000, 5500, 6000, 7000, 8000, 10_000, 13_000, 16_000, 20_000,
  ],
  quick: [500, 1000, 2000, 4000],
};
const SECONDS = { full: 3, quick: 2 };
const KILL = { full: { sockets: 1000, seconds: 12 }, quick: { sockets: 200, seconds: 5 } };

/** Facts from Redis to clients by way of two gateways, beside Socket.IO with its own adapters; then one gateway dies. */
export async function benchProgress({ quick, pairs, say }: ProgressOptions): Promise<Figure[]> {
  const size = quick ? 'quick' : 'full';
  const backing = await startBacking();
  try {
    const loads: Load[] = [];
    for (let pair = 1; pair <= pairs; pair += 1) {
      for (const sockets of SIZES[size]) {
        for (const kind of KINDS) {
          say(`Round ${pair}: ${sockets} clients, ${kind} …`);
          const load = await rise(kind, backing, { sockets, rates: RATES[size], seconds: SECONDS[size] });
          say(stepsOf(load));
          loads.push(load);
        }
      }
    }
    const { sockets, seconds } = KILL[size];
    const recovered: number[] = [];
    for (let pair = 1; pair <= pairs; pair += 1) {
      say(`Round ${pair}: one of two gateways dies under ${sockets} clients …`);
      const killed = await killOurs(sockets, seconds);
      say(
        `${killed.name}: ${killed.recovered} of ${sockets} without a gap (${killed.returned} had to come back)`,
      );
      recovered.push(killed.recovered);
    }
    for (const kind of ['streams', 'redis'] as const) {
      const killed = await killPeer(kind, backing, sockets, seconds);
      say(
        `${killed.name}: ${killed.recovered} of ${sockets} without a gap (${killed.returned} had to come back)`,
      );
    }
    say(summary(loads));
    const of = (kind: Kind, many: number) =>
      loads.filter((load) => load.kind === kind && load.sockets === many);
    const [few = 0] = SIZES[size];
    const theirs = of('streams', few).map(heldRate);
    const ratios = of('ours', few).map((load, at) => heldRate(load) / (theirs[at] || 1));
    // Of ours at the rate that theirs held: the first step that is not below it.
    const p99s = of('ours', few).map(
      ({ steps }, at) =>
        steps.find(({ rate }) => rate >= 0.95 * (theirs[at] ?? 0))?.p99Ms ?? Number.POSITIVE_INFINITY,
    );
    return [
      higherIsBetter(BENCH, 'rate_vs_streams_adapter', ratios, 1),
      lowerIsBetter(BENCH, 'p99_ms', p99s, LIMIT_MS),
      higherIsBetter(BENCH, 'clients_recovered', recovered, sockets),
    ];
  } finally {
    await backing.stop();
  }
}

const stepsOf = ({ steps }: Load): string =>
  table([
    ['  facts/s', 'p50 ms', 'p99 ms', 'CPU ms/1000', ''],
    ...steps.map(({ rate, p50Ms, p99Ms, cpuPerThousand, ok }) => [
      `  ${rate.toFixed(0)}`,
      p50Ms.toFixed(1),
      p99Ms.toFixed(1),
      (cpuPerThousand * 1000).toFixed(1),
      ok ? 'held' : 'not held',
    ]),
  ]);

function summary(loads: Load[]): string {
  const groups = new Map<string, Load[]>();
  for (const load of loads) {
    const key = `${load.name}, ${load.sockets} clients`;
    groups.set(key, [...(groups.get(key) ?? []), load]);
  }
  return table([
    ['', 'facts/s held', 'KiB a client', 'CPU ms/1000'],
    ...[...groups].map(([name, group]) => [
      name,
      median(group.map(heldRate)).toFixed(0),
      (median(group.map(({ bytesPerSocket }) => bytesPerSocket)) / 1024).toFixed(1),
      (
        1000 * median(group.flatMap(({ steps }) => steps.map(({ cpuPerThousand }) => cpuPerThousand)))
      ).toFixed(1),
    ]),
  ]);
}
