import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import type { Download, JobView } from '#contracts';
import type { Stack } from '#testing';
import { mustRun } from '../clips/run.js';
import { readMediaPlaylist } from '../verify/playlist.js';
import { fetchBytes, fetchText } from '../verify/rendition.js';

interface Packet {
  time: number;
  isKey: boolean;
  md5: string;
}

/** What a demuxer makes of a track, times with the edit list applied; in the order of the file. */
async function packetsOf(file: string, track: 'v' | 'a'): Promise<Packet[]> {
  const { stdout } = await mustRun('ffprobe', [
    ...['-v', 'error', '-select_streams', `${track}:0`, '-show_data_hash', 'md5', '-of', 'json'],
    ...['-show_entries', 'packet=pts_time,flags,data_hash', file],
  ]);
  const { packets } = JSON.parse(stdout.toString()) as {
    packets: { pts_time: string; flags: string; data_hash: string }[];
  };
  return packets.map((one) => ({
    time: Number(one.pts_time),
    isKey: one.flags.startsWith('K'),
    md5: one.data_hash,
  }));
}

/** Every decoded picture with its time; throws at a file that does not decode without a complaint. */
async function framesOf(file: string): Promise<string[]> {
  const { stdout, stderr } = await mustRun('ffmpeg', [
    ...['-nostdin', '-v', 'warning', '-xerror', '-copyts', '-i', file, '-map', '0:v:0'],
    ...['-fps_mode', 'passthrough', '-enc_time_base', '1:90000', '-f', 'framemd5', 'pipe:1'],
  ]);
  if (stderr.trim() !== '') throw new Error(`${file}: ${stderr}`);
  return stdout
    .toString()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** The boxes of a file, in order. */
export function boxTypes(file: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at < file.length; at += file.readUInt32BE(at))
    found.push(file.toString('latin1', at + 4, at + 8));
  return found;
}

/** Files that live as long as `use`. */
async function withFiles<T>(
  files: Record<string, Buffer>,
  use: (paths: Record<string, string>) => Promise<T>,
): Promise<T> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sluice-mp4-'));
  try {
    const paths: Record<string, string> = {};
    for (const [name, bytes] of Object.entries(files)) {
      paths[name] = path.join(dir, `${name}.mp4`);
      await writeFile(paths[name], bytes);
    }
    return await use(paths);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** A rendition as players get it: init segment and segments in a row. */
async function joinedRendition(playlist: string): Promise<Buffer> {
  const { map, segments } = readMediaPlaylist(await fetchText(playlist), playlist);
  return Buffer.concat(await Promise.all([map, ...segments.map(({ url }) => url)].map(fetchBytes)));
}

export const downloadsOf = (job: JobView) => (job.result as { downloads: Download[] }).downloads;

/** Pictures, samples and times are those of the rendition and of the default sound as they are streamed. */
export async function expectSameAsStream(
  { urls }: Pick<Stack, 'urls'>,
  job: JobView,
  { name, url, bytes }: Download,
  hasSound: boolean,
): Promise<void> {
  const at = (place: string) => new URL(place, urls.gateway).href;
  const file = await fetchBytes(at(url));
  expect(file.length).toBe(bytes);
  expect(boxTypes(file)).toEqual(['ftyp', 'moov', 'mdat']);
  const folder = path.dirname(job.playback.hls as string);
  const rendition = await joinedRendition(at(`${folder}/${name}/index.m3u8`));
  const audio = hasSound ? await joinedRendition(at(`${folder}/audio/index.m3u8`)) : Buffer.alloc(0);
  await withFiles({ file, rendition, audio }, async (paths) => {
    const read = (place: string, track: 'v' | 'a') =>
      Promise.all([packetsOf(place, track), track === 'v' ? framesOf(place) : []]);
    const tracks = [['v', paths.rendition] as const, ...(hasSound ? [['a', paths.audio] as const] : [])];
    await Promise.all(
      tracks.map(async ([track, streamed]) => {
        expect(await read(paths.file as string, track)).toEqual(await read(streamed as string, track));
      }),
    );
  });
}
