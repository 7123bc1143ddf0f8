import { afterAll, beforeAll, expect, it } from 'vitest';
import { FACTS_STREAM, type Fact } from '#contracts';
import { createRedis } from '#queue';
import { waitFor } from '#testing';
import { Random, seedOfThisRun } from '../upload/property/random.js';
import { CutClient, socketLine, sseLine } from './cut-client.js';
import { type GatewayAlone, startGatewayAlone, type Upload } from './rows.js';

const SEED = seedOfThisRun();
const EVENTS = 1000;
const CUTS = 100;
const WRITERS = 4;
const LIMIT_MS = 120_000;

let gateway: GatewayAlone;
beforeAll(async () => {
  gateway = await startGatewayAlone({}, 2);
});
afterAll(() => gateway?.stop());

it(
  `S1-03 S3-11 clients that are cut ${CUTS} times while ${EVENTS} events flow miss none and see none twice (SLUICE_TEST_SEED=${SEED})`,
  async () => {
    const random = new Random(SEED);
    const uploads = await Promise.all(Array.from({ length: 5 }, () => gateway.insertUpload()));
    const [main] = uploads as [Upload];
    const alive = new Set(gateway.urls);
    const anyGateway = () => random.pick([...alive]);
    const clients = [
      new CutClient('SSE, one job', sseLine(`/events?job_id=${main.jobId}`), anyGateway),
      new CutClient('SSE, mine', sseLine('/events'), anyGateway),
      new CutClient('socket, one session', socketLine({ session_id: main.sessionId }), anyGateway),
      new CutClient('socket, mine', socketLine({ mine: true }), anyGateway),
    ];
    await Promise.all(clients.map((client) => client.join()));
    let waiting = 0;
    const lives = clients.map((client) => client.live(CUTS, random, () => waiting === WRITERS));
    const fewestCuts = () => Math.min(...clients.map(({ cuts }) => cuts));
    const redis = createRedis(gateway.stack.redisUrl, 'producer', 'test');

    let written = 0;
    const write = async () => {
      while (written < EVENTS) {
        written += 1;
        const mine = written;
        // So that the cuts are spread over the flow, whatever the machine does meanwhile.
        waiting += 1;
        await waitFor(() => mine / EVENTS <= (fewestCuts() + 3) / CUTS, {
          what: 'the cuts to come along',
          intervalMs: 2,
        });
        waiting -= 1;
        const upload = random.chance(0.6) ? main : random.pick(uploads);
        const told = await gateway.record(upload.jobId, {
          type: 'processing_progress',
          durable: random.chance(0.7),
          progress: Math.floor((mine / EVENTS) * 90),
          message: `event ${mine}`,
        });
        // Of some the publisher dies between commit and publish.
        if (!random.chance(0.08)) await gateway.publish(told);
      }
    };
    const untilWritten = (part: number) =>
      waitFor(() => written > EVENTS * part, { what: `${part} of the events`, timeoutMs: LIMIT_MS / 2 });
    const faults = async () => {
      const [second] = gateway.urls.slice(1) as [string];
      await untilWritten(0.3);
      await redis.del(FACTS_STREAM);
      await untilWritten(0.4);
      alive.delete(second);
      await gateway.stack.kill('gateway', 'SIGKILL', 1);
      await untilWritten(0.6);
      await gateway.stack.restart('gateway', 1);
      alive.add(second);
    };
    try {
      await Promise.all([faults(), ...lives, ...Array.from({ length: WRITERS }, write)]);
      for (const { jobId } of uploads) {
        await gateway.publish(
          await gateway.record(jobId, { type: 'processing_progress', durable: true, message: 'the last' }),
          await gateway.record(jobId, { type: 'processing_progress', durable: false, progress: 95 }),
        );
      }
      for (const client of clients) {
        const isJob = client.name.includes('one');
        const jobs = isJob ? [main.jobId] : uploads.map(({ jobId }) => jobId);
        const rows = await factsOf(jobs);
        const lastProgress = () => jobs.map((jobId) => client.progress.get(jobId)?.progress_percentage);
        await waitFor(
          () => {
            client.keep();
            return client.durable.length >= rows.length && lastProgress().every((percent) => percent === 95);
          },
          { what: `${client.name} to have heard all` },
        ).catch(() => undefined);
        expect(client.durable.map(nameOf), client.name).toEqual(rows);
        expect(lastProgress(), client.name).toEqual(jobs.map(() => 95));
        expect(client.cuts).toBe(CUTS);
      }
    } finally {
      for (const client of clients) client.close();
      redis.disconnect();
    }
  },
  LIMIT_MS,
);

const nameOf = (fact: Pick<Fact, 'id' | 'job_id' | 'seq'>) => `${fact.id} ${fact.job_id} ${fact.seq}`;

async function factsOf(jobIds: string[]): Promise<string[]> {
  const rows = (await gateway.database.query(
    `SELECT position::text AS id, job_id, seq FROM progress_events WHERE durable AND job_id = ANY ($1) ORDER BY position`,
    [jobIds],
  )) as Pick<Fact, 'id' | 'job_id' | 'seq'>[];
  return rows.map(nameOf);
}
