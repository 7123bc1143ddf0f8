import { createHash } from 'node:crypto';
import { openStore } from '#storage';
import type { Stack } from '#testing';
import { decodeNumbers, type Frame } from '../verify/frames.js';

interface StoredSegment {
  rendition: string;
  index: number;
  sha256: string;
  path: string;
}

/** What an uninterrupted run of a clip made: the digest of each segment, and each rendition's frames. */
export interface Reference {
  segments: Map<string, string>;
  frames: Map<string, Frame[]>;
}

export async function storedSegments(stack: Stack, job: string): Promise<StoredSegment[]> {
  const rows = await stack.query(
    `SELECT r.name AS rendition, s.segment_index AS index, s.sha256, s.storage_path AS path
     FROM segments s JOIN renditions r ON r.id = s.rendition_id WHERE s.job_id = $1 ORDER BY 1, 2`,
    [job],
  );
  return rows as unknown as StoredSegment[];
}

const keyOf = ({ rendition, index }: StoredSegment) => `${rendition}/${index}`;

export async function takeReference(
  stack: Stack,
  job: string,
  videos: Map<string, string>,
): Promise<Reference> {
  const frames = new Map<string, Frame[]>();
  for (const [name, url] of videos) frames.set(name, (await decodeNumbers(url)).frames);
  const segments = await storedSegments(stack, job);
  return { segments: new Map(segments.map((segment) => [keyOf(segment), segment.sha256])), frames };
}

/**
 * What differs from the uninterrupted run, in sentences. Stored bytes are those of the rows; a rendition whose
 * digests are all the reference's is the same, every other one is decoded: frame for frame, time for time.
 */
export async function differences(
  stack: Stack,
  job: string,
  videos: Map<string, string>,
  reference: Reference,
): Promise<{ problems: string[]; resumed: number }> {
  const problems: string[] = [];
  const stored = await storedSegments(stack, job);
  const store = await openStore({ STORAGE_DRIVER: 'directory', STORAGE_DIR: stack.storageDir });
  for (const segment of stored) {
    const hash = createHash('sha256');
    for await (const part of await store.get(segment.path)) hash.update(part as Buffer);
    if (hash.digest('hex') !== segment.sha256) problems.push(`${keyOf(segment)} is not what its row says`);
  }
  const keys = stored.map(keyOf);
  const missing = [...reference.segments.keys()].filter((key) => !keys.includes(key));
  if (missing.length > 0 || keys.length !== reference.segments.size)
    problems.push(`${keys.length} segments instead of ${reference.segments.size}, missing ${missing.join()}`);
  const other = stored.filter((segment) => reference.segments.get(keyOf(segment)) !== segment.sha256);
  for (const [name, url] of videos) {
    if (!other.some(({ rendition }) => rendition === name)) continue;
    const { frames, complaints } = await decodeNumbers(url);
    problems.push(...complaints.map((line) => `${name}: ${line}`));
    const expected = JSON.stringify(reference.frames.get(name));
    if (JSON.stringify(frames) !== expected)
      problems.push(`${name} has other frames or times than the uninterrupted run`);
  }
  return { problems, resumed: other.length };
}
