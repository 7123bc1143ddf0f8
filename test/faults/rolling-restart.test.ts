import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SluiceClient } from '#client';
import { fileSource } from '#client/node';
import { type JobView, SERVICES, type ServiceName } from '#contracts';
import { type Stack, startStack } from '#testing';
import { stateOf, wrongWith } from '../chaos/jobs.js';
import { type Clip, fileOf, TIMED } from '../clips/good.js';
import { isLongRun } from '../long-run.js';
import { jobEnd, MANY_SPANS, scratchFiles } from '../pipeline/harness.js';
import { Balancer } from './balancer.js';

const LIMIT_MS = 400_000;
/** Each process is restarted so often. */
const ROUNDS = 2;
const LANES = 3;
const clips = ['plain', 'no-sound', 'fragmented'].map(
  (name) => TIMED.find((clip) => clip.name === name) as Clip,
);

let stack: Stack;
let uploads: Balancer;
let views: Balancer;
/** What did not answer as it should have. */
const failed: string[] = [];

/** Throws away no answer: what a client would try again counts as failed here. */
async function watched(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const what = `${init?.method ?? 'GET'} ${new URL(String(input)).pathname}`;
  try {
    const response = await fetch(input, init);
    if (response.status >= 500) failed.push(`${what}: ${response.status} ${await response.clone().text()}`);
    return response;
  } catch (error) {
    failed.push(`${what}: ${String((error as Error).cause ?? error)}`);
    throw error;
  }
}

async function uploaded(file: string): Promise<string> {
  const client = new SluiceClient({ uploadUrl: uploads.url, fetch: watched as typeof fetch });
  const source = await fileSource(file);
  const session = await client.upload(source, { parallel: 2, chunkSize: Math.ceil(source.size / 5) });
  return session.job_id as string;
}

/** The job's stream of events until it says how the job has ended, over as many connections as that takes. */
async function followed(job: string): Promise<{ status: string; connections: number }> {
  let last: string | undefined;
  for (let connections = 1; ; connections++) {
    const response = await watched(`${views.url}/jobs/${job}/stream`, {
      headers: last === undefined ? {} : { 'last-event-id': last },
    });
    const text = await response.text().catch((error: unknown) => {
      failed.push(`the stream of ${job} was cut: ${String((error as Error).cause ?? error)}`);
      return '';
    });
    for (const [, id] of text.matchAll(/^id: (.+)$/gm)) {
      if (Number(id) < Number(last ?? 0)) failed.push(`the stream of ${job} went back from ${last} to ${id}`);
      last = id;
    }
    const done = /^event: done\n(?:id: .*\n)?data: (.*)$/m.exec(text)?.[1];
    if (done) return { status: (JSON.parse(done) as { status: string }).status, connections };
  }
}

/**
 * One chunk that is all of a file, sent to a process that is told to stop before its last bytes have come.
 * `begun` resolves when the first ones are on their way.
 */
function slowly(file: string, process: string, mayEnd: () => boolean) {
  let begin: () => void;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const send = async (): Promise<string> => {
    const bytes = await readFile(file);
    const client = new SluiceClient({ uploadUrl: uploads.url, fetch: watched as typeof fetch });
    const opened = await client.createSession({ filename: 'slow.mp4', size: bytes.length });
    const step = Math.ceil(bytes.length / 40);
    const pieces = async function* () {
      for (let at = 0; at < bytes.length; at += step) {
        while (at + step >= bytes.length && !mayEnd()) await sleep(20);
        yield bytes.subarray(at, at + step);
        if (at > 0) begin();
      }
    };
    const response = await watched(`${process}${opened.upload_path}/0`, {
      method: 'PUT',
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(bytes.length),
        'x-content-sha256': createHash('sha256').update(bytes).digest('hex'),
      },
      body: ReadableStream.from(pieces()),
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(200);
    await client.complete(opened.session_id);
    return opened.job_id as string;
  };
  return { job: send(), begun };
}

const balancerOf: Partial<Record<ServiceName, () => Balancer>> = {
  upload: () => uploads,
  gateway: () => views,
};

/** As a deployment does: no new requests, SIGTERM, a new process, requests again. */
async function roll(service: ServiceName, index: number, told: () => void): Promise<void> {
  const { url } = stack.processes[service][index] as Stack['processes'][ServiceName][number];
  balancerOf[service]?.().without(url);
  const ended = stack.kill(service, 'SIGTERM', index);
  told();
  await ended;
  await stack.restart(service, index);
  balancerOf[service]?.().with(url);
}

describe.runIf(isLongRun)('a rolling restart under load', () => {
  beforeAll(async () => {
    stack = await startStack({
      env: {
        ...MANY_SPANS,
        ENABLE_DEDUPLICATION: 'false',
        SHUTDOWN_GRACE_SECONDS: '15',
        LEASE_SECONDS: '8',
      },
      services: { upload: 2, transcode: 2, 'segment-upload': 2, gateway: 2 },
    });
    uploads = await Balancer.start(stack.processes.upload.map(({ url }) => url));
    views = await Balancer.start(stack.processes.gateway.map(({ url }) => url));
  }, LIMIT_MS);
  afterAll(async () => {
    uploads?.close();
    views?.close();
    await stack?.stop();
  }, 60_000);

  it(
    'S1-10 of each service: no request fails, no job is lost, no work is anyone’s fault',
    async () => {
      const jobs: string[] = [];
      let rolling = true;
      const lanes = Array.from({ length: LANES }, async (_, lane) => {
        for (let turn = 0; rolling; turn++) {
          const job = await uploaded(await fileOf(clips[(lane + turn) % clips.length] as Clip));
          jobs.push(job);
          const stream = followed(job);
          // Somebody looks at it until it has ended.
          for (;;) {
            const view = (await (await watched(`${views.url}/jobs/${job}`)).json()) as JobView;
            if (view.status === 'completed' || view.status === 'failed') break;
            if (view.playback.early) await watched(`${views.url}${view.playback.early}`);
            await sleep(100);
          }
          expect((await stream).status).toBe('completed');
        }
      });
      const rolled = (async () => {
        for (let round = 0; round < ROUNDS; round++) {
          for (const index of [0, 1]) {
            const told = new Set<number>();
            const { url } = stack.processes.upload[index] as Stack['processes']['upload'][number];
            const inFlight = slowly(await fileOf(clips[0] as Clip), url, () => told.has(index));
            await inFlight.begun;
            await Promise.all(
              SERVICES.map((service) => roll(service, index, () => service === 'upload' && told.add(index))),
            );
            jobs.push(await inFlight.job);
          }
        }
        rolling = false;
      })();
      await Promise.all([...lanes, rolled]);
      expect(failed).toEqual([]);
      const problems: string[] = [];
      for (const job of jobs) {
        const view = await jobEnd(stack, job, 60_000).catch(async (error: unknown) => {
          throw new Error(`job ${job} is stuck:\n${await stateOf(stack, job)}`, { cause: error });
        });
        if (view.status !== 'completed') problems.push(`job ${job} failed: ${view.error_message}`);
        problems.push(...(await wrongWith(stack, job)));
      }
      expect(problems).toEqual([]);
      const blamed = await stack.query(
        'SELECT id, attempts, unclean_deaths, error_message FROM spans WHERE unclean_deaths > 0 OR attempts > 0',
      );
      expect(blamed).toEqual([]);
      expect(jobs.length).toBeGreaterThanOrEqual(2 * ROUNDS + LANES);
      expect(await scratchFiles(stack)).toEqual([]);
    },
    LIMIT_MS,
  );
});
