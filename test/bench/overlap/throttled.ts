import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceClient } from '#client';
import { fileSource } from '#client/node';
import type { SessionData } from '#contracts';

/** A file of 15 Mbit/s in chunks of 8 MiB has so many in a minute; smaller files are cut as finely. */
const CHUNKS_A_MINUTE = 13.4;
const LARGEST_CHUNK = 8 * 1024 * 1024;

export interface Throttle {
  /** Of the video. */
  minutes: number;
  /** That the upload takes. */
  seconds: number;
  onJob?(job: string): void;
}

/** Sends as our clients do, the file's ends first, over a line that has just brought each chunk when it is confirmed. */
export async function uploadThrottled(
  uploadUrl: string,
  file: string,
  { minutes, seconds, onJob }: Throttle,
): Promise<SessionData> {
  const source = await fileSource(file);
  const chunkSize = Math.min(LARGEST_CHUNK, Math.ceil(source.size / (minutes * CHUNKS_A_MINUTE)));
  const begun = performance.now();
  let brought = 0;
  return new SluiceClient({ uploadUrl }).upload(
    {
      ...source,
      name: source.name,
      size: source.size,
      read: async (start, end) => {
        brought += end - start;
        const due = begun + (seconds * 1000 * brought) / source.size;
        await sleep(Math.max(0, due - performance.now()));
        return source.read(start, end);
      },
    },
    {
      parallel: 1,
      chunkSize,
      askFrom: Number.POSITIVE_INFINITY,
      onSession: ({ job_id }) => onJob?.(job_id ?? ''),
    },
  );
}
