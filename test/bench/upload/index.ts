import path from 'node:path';
import { type Backing, startBacking } from '../backing.js';
import { cpuSecondsOf } from '../cpu.js';
import { type Figure, higherIsBetter, lowerIsBetter, median, table } from '../figures.js';
import type { Contender } from './contender.js';
import { forgetPeak, peakMb, residentMb } from './memory.js';
import { type OurUploads, startOurs } from './ours.js';
import { Payload } from './payload.js';
import { handwrittenPeer, installPeers, tusPeer, tusPeerWithHash, uploadxPeer } from './peers.js';

export interface UploadOptions {
  quick: boolean;
  rounds: number;
  say: (text: string) => void;
}

const BENCH = 'upload';
const MIB = 1024 * 1024;
const CHUNK = 8 * MIB;
const SIZES = {
  full: { file: 1024 * MIB, many: 50, each: 20 * MIB },
  quick: { file: 64 * MIB, many: 10, each: 4 * MIB },
};

interface Run {
  mibPerSecond: number;
  cpuSeconds: number;
  peakMb: number;
  completeMs: number | null;
}

/**
 * The same file to every server in turns, by the same client; ratios are taken within a round, so that
 * a machine that changes its pace changes all sides. What is stored is hashed after each upload.
 */
export async function benchUpload({ quick, rounds, say }: UploadOptions): Promise<Figure[]> {
  const { file, many, each } = quick ? SIZES.quick : SIZES.full;
  await installPeers(say);
  say('Starting the servers …');
  const backing = await startBacking();
  const open: { stop(): Promise<void> }[] = [backing];
  try {
    const peers = await startPeers(backing, open);
    const plain = await startOurs(backing, { fsync: false });
    open.push(plain);
    const safe = await startOurs(backing, { fsync: true });
    open.push(safe);
    const contenders = [...Object.values(safe.doors), ...Object.values(plain.doors), ...Object.values(peers)];
    const idle = residentMb(safe.doors.raw.pid);
    const payload = new Payload(file, CHUNK);
    const runs = new Map(contenders.map((contender) => [contender, [] as Run[]]));
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < contenders.length; turn++) {
        const contender = contenders[(turn + round) % contenders.length]!;
        runs.get(contender)!.push(await measure(contender, payload.renew()));
      }
      say(`round ${round + 1} of ${rounds}`);
    }
    const at = (contender: Contender) => runs.get(contender)!;
    const together = await measureTogether(safe, { many, each, rounds });
    say(`\n${summary(contenders, at)}\n`);
    say(
      `idle ${idle.toFixed(0)} MiB; ${many} uploads of ${each / MIB} MiB at once: ${together.rate.toFixed(0)} MiB/s\n`,
    );
    const ratio = (ours: Contender, theirs: Contender) =>
      at(ours).map((run, round) => run.mibPerSecond / at(theirs)[round]!.mibPerSecond);
    // Peers do not wait for the disk: like is compared with like.
    const { raw, tus } = plain.doors;
    return [
      higherIsBetter(BENCH, 'vs_uploadx_digest', ratio(raw, peers.uploadx), 1),
      higherIsBetter(BENCH, 'vs_tus_sha256', ratio(raw, peers.tusWithHash), 1.5),
      higherIsBetter(BENCH, 'vs_handwritten', ratio(raw, peers.handwritten), 3),
      higherIsBetter(BENCH, 'tus_door_vs_tus', ratio(tus, peers.tus), 1),
      lowerIsBetter(
        BENCH,
        'complete_ms',
        at(safe.doors.raw).map((run) => run.completeMs ?? Number.NaN),
        50,
      ),
      lowerIsBetter(
        BENCH,
        'rss_over_idle_mb_1',
        at(safe.doors.raw).map((run) => run.peakMb - idle),
        64,
      ),
      lowerIsBetter(
        BENCH,
        `rss_over_idle_mb_50`,
        together.peaks.map((peak) => peak - idle),
        64,
      ),
    ];
  } finally {
    for (const one of open.reverse()) await one.stop();
  }
}

async function startPeers({ dir }: Backing, open: { stop(): Promise<void> }[]) {
  const start = async (name: string, peer: (dir: string) => Promise<Contender>) => {
    const contender = await peer(path.join(dir, name));
    open.push(contender);
    return contender;
  };
  return {
    uploadx: await start('uploadx', uploadxPeer),
    tus: await start('tus', tusPeer),
    tusWithHash: await start('tus-sha256', tusPeerWithHash),
    handwritten: await start('handwritten', handwrittenPeer),
  };
}

async function measure(contender: Contender, payload: Payload): Promise<Run> {
  forgetPeak(contender.pid);
  const cpuBefore = cpuSecondsOf(contender.roots);
  const start = performance.now();
  await contender.upload(payload);
  const seconds = (performance.now() - start) / 1000;
  const cpuSeconds = cpuSecondsOf(contender.roots) - cpuBefore;
  const peak = peakMb(contender.pid);
  const { sha256, completeMs } = await contender.settle();
  if (sha256 !== payload.sha256) throw new Error(`${contender.name} stored ${sha256}, not ${payload.sha256}`);
  return { mibPerSecond: payload.bytes.length / MIB / seconds, cpuSeconds, peakMb: peak, completeMs };
}

async function measureTogether(
  ours: OurUploads,
  { many, each, rounds }: { many: number; each: number; rounds: number },
): Promise<{ peaks: number[]; rate: number }> {
  const { pid } = ours.doors.raw;
  const payloads = Array.from({ length: many }, () => new Payload(each, CHUNK));
  const peaks: number[] = [];
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const payload of payloads) payload.renew();
    forgetPeak(pid);
    const start = performance.now();
    await ours.together(payloads);
    rates.push((many * each) / MIB / ((performance.now() - start) / 1000));
    peaks.push(peakMb(pid));
  }
  return { peaks, rate: median(rates) };
}

function summary(contenders: Contender[], at: (contender: Contender) => Run[]): string {
  const middle = (contender: Contender, of: (run: Run) => number) => median(at(contender).map(of)).toFixed(1);
  return table([
    ['server', 'MiB/s', 'CPU s', 'peak MiB'],
    ...contenders.map((contender) => [
      contender.name,
      middle(contender, (run) => run.mibPerSecond),
      middle(contender, (run) => run.cpuSeconds),
      middle(contender, (run) => run.peakMb),
    ]),
  ]);
}
