import { readFileSync } from 'node:fs';
import type { Backing } from '../backing.js';
import { cpuSecondsOf } from '../cpu.js';
import { type Kind, startContender } from './contenders.js';
import { Assistant } from './process.js';

/** Clients that follow one job. */
export const ROOM = 10;
/** S3-11: from cause to client. */
export const LIMIT_MS = 100;
const SETTLE_MS = 500;

export interface Step {
  /** Facts a second, as they were published. */
  rate: number;
  p50Ms: number;
  p99Ms: number;
  /** CPU seconds of both gateways for a thousand deliveries. */
  cpuPerThousand: number;
  ok: boolean;
}

export interface Load {
  kind: Kind;
  name: string;
  sockets: number;
  /** Of both gateways, for each socket: what they have more with all of them than with none. */
  bytesPerSocket: number;
  steps: Step[];
}

export interface Report {
  deliveries: number;
  p50Ms: number;
  p99Ms: number;
  gaps: number;
  twice: number;
  returned: number;
  whole: number;
  last: Record<string, number>;
  least: number;
}

/** One contender under rising load, until the limit is passed or a client has not got everything once. */
export async function rise(
  kind: Kind,
  backing: Backing,
  { sockets, rates, seconds }: { sockets: number; rates: number[]; seconds: number },
): Promise<Load> {
  const contender = await startContender(kind, backing);
  const publisher = await Assistant.start('publisher.mjs', [kind, contender.redisUrl]);
  const receiver = await Assistant.start('receiver.mjs');
  try {
    const { name, urls, pids } = contender;
    const jobs = await contender.newJobs(sockets / ROOM);
    const before = residentBytes(pids);
    await receiver.ask({ connect: { urls, jobs, sockets } });
    const bytesPerSocket = (residentBytes(pids) - before) / sockets;
    // Code that has not run yet is slow, in all of them.
    await publisher.ask({ jobs, rate: 500, seconds: 1 });
    await settled();
    const steps: Step[] = [];
    for (const rate of rates) {
      await receiver.ask({ reset: true });
      const cpu = cpuSecondsOf(pids);
      const { published } = await publisher.ask<{ published: number }>({ jobs, rate, seconds });
      await settled();
      const report = await receiver.ask<Report>({ report: true });
      const whole = report.deliveries === published * ROOM && report.gaps === 0 && report.twice === 0;
      const step = {
        rate: published / seconds,
        p50Ms: report.p50Ms,
        p99Ms: report.p99Ms,
        cpuPerThousand: (1000 * (cpuSecondsOf(pids) - cpu)) / report.deliveries,
        ok: whole && report.p99Ms < LIMIT_MS && published / seconds > rate * 0.95,
      };
      steps.push(step);
      if (!step.ok) break;
    }
    return { kind, name, sockets, bytesPerSocket, steps };
  } finally {
    await Promise.all([publisher.stop(), receiver.stop()]);
    await contender.stop();
  }
}

/** The highest rate that was held. */
export const heldRate = ({ steps }: Load): number =>
  Math.max(0, ...steps.filter(({ ok }) => ok).map(({ rate }) => rate));

const settled = () => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));

function residentBytes(pids: number[]): number {
  return pids.reduce((sum, pid) => {
    const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return sum + Number(kilobytes) * 1024;
  }, 0);
}
