import { FactPublisher, recordFact } from '#events';
import { openDataSource } from '#persistence';
import { waitFor } from '#testing';
import type { Backing } from '../backing.js';
import { type Kind, ours, startContender } from './contenders.js';
import { type Report, ROOM } from './load.js';
import { Assistant } from './process.js';

export interface Killed {
  name: string;
  /** All clients were with the gateway that was killed: those that had to come back, and those that saw every fact once. */
  returned: number;
  recovered: number;
}

const WRITERS = 3;
const PEER_RATE = 200;

/** Of our clients every durable fact is in rows, and is recorded and published as services do it. */
export async function killOurs(sockets: number, seconds: number): Promise<Killed> {
  const contender = await ours();
  const receiver = await Assistant.start('receiver.mjs');
  const database = await openDataSource({
    databaseUrl: contender.stack.databaseUrl,
    poolSize: WRITERS + 1,
    name: 'bench',
  });
  const publisher = new FactPublisher(contender.redisUrl, 'bench', database);
  try {
    const jobs = await contender.newJobs(sockets / ROOM);
    await receiver.ask({ connect: { urls: contender.urls, jobs, sockets, toFirst: true } });
    const tell = async (jobId: string) => {
      const fact = await database.transaction((manager) =>
        recordFact(manager, jobId, { type: 'processing_progress', durable: true, message: microseconds() }),
      );
      await publisher.publish(fact);
    };
    const end = performance.now() + seconds * 1000;
    const write = async (writer: number) => {
      for (let at = writer; performance.now() < end; at += WRITERS) await tell(jobs[at % jobs.length] ?? '');
    };
    const killing = new Promise<void>((resolve, reject) => {
      setTimeout(() => void contender.killOne().then(resolve, reject), seconds * 400);
    });
    await Promise.all([killing, ...Array.from({ length: WRITERS }, (_, writer) => write(writer))]);
    for (const jobId of jobs) await tell(jobId);
    const rows = (await database.query(
      'SELECT job_id, max(seq) AS seq FROM progress_events WHERE durable GROUP BY job_id',
    )) as { job_id: string; seq: number }[];
    const report = await waitFor(
      async () => {
        const said = await receiver.ask<Report>({ report: true });
        return rows.every(({ job_id, seq }) => (said.last[job_id] ?? 0) >= seq) && said;
      },
      { what: 'the clients to have heard the last fact', timeoutMs: 30_000, intervalMs: 200 },
    ).catch(() => receiver.ask<Report>({ report: true }));
    return { name: contender.name, returned: report.returned, recovered: report.whole };
  } finally {
    publisher.close();
    await database.destroy();
    await receiver.stop();
    await contender.stop();
  }
}

/** The same without rows: what the adapter remembers is all that there is. */
export async function killPeer(
  kind: Exclude<Kind, 'ours'>,
  backing: Backing,
  sockets: number,
  seconds: number,
): Promise<Killed> {
  const contender = await startContender(kind, backing);
  const publisher = await Assistant.start('publisher.mjs', [kind, contender.redisUrl]);
  const receiver = await Assistant.start('receiver.mjs');
  try {
    const jobs = await contender.newJobs(sockets / ROOM);
    await receiver.ask({ connect: { urls: contender.urls, jobs, sockets, toFirst: true } });
    setTimeout(() => void contender.killOne(), seconds * 400);
    await publisher.ask({ jobs, rate: PEER_RATE, seconds });
    const { returned, whole } = await receiver.ask<Report>({ report: true });
    return { name: contender.name, returned, recovered: whole };
  } finally {
    await Promise.all([publisher.stop(), receiver.stop()]);
    await contender.stop();
  }
}

const microseconds = () => String(process.hrtime.bigint() / 1000n);
