import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { descendantsOf, type Stack, startStack, waitFor } from '#testing';
import { type Clip, COPIED, fileOf, TIMED } from '../clips/good.js';
import { isLongRun } from '../long-run.js';
import { jobEnd, jobOf, MANY_SPANS, mustComplete, scratchFiles, streamOf } from '../pipeline/harness.js';
import { Random } from '../upload/property/random.js';
import { readMultivariant } from '../verify/playlist.js';
import { fetchText } from '../verify/rendition.js';
import { verifyStream } from '../verify/stream.js';
import { Backing } from './backing.js';
import { Chaos, FAULTS, type Fault } from './faults.js';
import { stateOf, uploadAnyhow, wrongWith } from './jobs.js';
import { differences, type Reference, takeReference } from './reference.js';

const SEED = Number(process.env.CHAOS_SEED ?? randomInt(2 ** 31));
/** One of each; the long run has three. */
const COUNT = Number(process.env.CHAOS_FAULTS ?? (isLongRun ? 3 : 1) * FAULTS.length);
const JOBS_AT_ONCE = 3;
const PATIENCE_MS = 120_000;
const LIMIT_MS = 240_000 + COUNT * 10_000;

const clips = ['plain', 'fit', 'fragmented'].map(
  (name) => [...TIMED, ...COPIED].find((clip) => clip.name === name) as Clip,
);

describe(`${COUNT} faults (CHAOS_SEED=${SEED} CHAOS_FAULTS=${COUNT})`, () => {
  let backing: Backing;
  let stack: Stack;
  const references = new Map<Clip, Reference>();
  beforeAll(async () => {
    backing = await Backing.start();
    stack = await startStack({
      env: { ...MANY_SPANS, ENABLE_DEDUPLICATION: 'false', REDIS_URL: backing.redisUrl },
      services: { transcode: 3, 'segment-upload': 2 },
    });
    const jobs = await Promise.all(clips.map(async (clip) => uploadAnyhow(stack, await fileOf(clip))));
    for (const [i, clip] of clips.entries()) {
      const view = await mustComplete(stack, jobs[i] as string, PATIENCE_MS);
      const expected = { ...clip, source: await fileOf(clip), frames: 'numbered' } as const;
      expect((await verifyStream(streamOf(stack, view), expected)).problems).toEqual([]);
      references.set(clip, await takeReference(stack, view.id, await videosOf(view.id)));
    }
  }, LIMIT_MS);
  afterAll(async () => {
    await stack?.stop();
    await backing?.stop();
  }, 60_000);

  /** Playlists of the video renditions by their names. */
  async function videosOf(job: string): Promise<Map<string, string>> {
    const { hls } = streamOf(stack, await jobOf(stack, job));
    const { variants } = readMultivariant(await fetchText(hls), hls);
    return new Map(variants.map(({ url }) => [new URL(url).pathname.split('/').at(-2) as string, url]));
  }

  it(
    'S0-15 S0-16 whatever dies, each job ends once: whole and equal to an uninterrupted run, or failed with a reason',
    async () => {
      const random = new Random(SEED);
      const chaos = new Chaos(stack, backing, random);
      const deck = random.shuffle(
        Array.from({ length: COUNT }, (_, i) => FAULTS[i % FAULTS.length] as Fault),
      );
      const jobs: { clip: Clip; id: string }[] = [];
      let striking = true;
      // Each lane has a job at work for as long as faults come.
      const lanes = Array.from({ length: JOBS_AT_ONCE }, async (_, lane) => {
        for (let turn = 0; striking; turn++) {
          const clip = clips[(lane + turn) % clips.length] as Clip;
          const id = await uploadAnyhow(stack, await fileOf(clip));
          jobs.push({ clip, id });
          await jobEnd(stack, id, PATIENCE_MS).catch(async (error: unknown) => {
            throw new Error(`job ${id} (${clip.name}) is stuck:\n${await stateOf(stack, id)}`, {
              cause: error,
            });
          });
        }
      });
      const struck = (async () => {
        for (const fault of deck) await chaos.strike(fault);
        striking = false;
        await chaos.settle();
      })();
      await Promise.all([...lanes, struck]);

      let resumed = 0;
      const problems: string[] = [];
      for (const { clip, id } of jobs) {
        const wrong = await wrongWith(stack, id);
        const { status, error_message: why } = await jobOf(stack, id);
        if (status === 'completed') {
          const found = await differences(stack, id, await videosOf(id), references.get(clip) as Reference);
          wrong.push(...found.problems);
          resumed += found.resumed;
        } else console.info(`job ${id} (${clip.name}) failed: ${why}`);
        problems.push(...wrong.map((problem) => `job ${id} (${clip.name}): ${problem}`));
      }
      console.info(
        `${jobs.length} jobs, ${resumed} segments that an uninterrupted run makes with other bytes`,
      );
      expect(problems).toEqual([]);
      await waitFor(async () => (await scratchFiles(stack)).length === 0, {
        what: 'the scratch to be empty',
      });
      const encoders = stack.processes.transcode.flatMap(({ process }) => descendantsOf(process.pid));
      expect(encoders.filter(({ command }) => /ff(mpeg|probe)/.test(command))).toEqual([]);
    },
    LIMIT_MS,
  );
});
