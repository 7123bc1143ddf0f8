import { expect } from 'vitest';
import type { JobView } from '#contracts';
import type { Stack } from '#testing';
import { mustComplete, streamOf } from '../pipeline/harness.js';
import { verifyStream } from '../verify/stream.js';
import { film } from './films.js';

/** The job of one of the films, completed with every frame of it. */
export async function verifiedFilm(stack: Stack, job: string, name: string): Promise<JobView> {
  const { clip, file } = await film(name);
  const done = await mustComplete(stack, job);
  const expected = { ...clip, source: file, frames: 'numbered' as const };
  const { problems } = await verifyStream(streamOf(stack, done), expected);
  expect(problems).toEqual([]);
  return done;
}
