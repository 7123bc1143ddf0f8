import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { testDir } from '#testing';
import { run } from '../clips/run.js';
import { readFrames } from '../verify/frames.js';

export interface Cue {
  start: number;
  end: number;
  /** Of the sprite, relative to the track. */
  image: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

const CUE = /^([\d:.]+) --> ([\d:.]+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/;

/** Every cue of a storyboard; throws at whatever is not one. */
export function readStoryboard(text: string): Cue[] {
  const [head, ...cues] = text.trim().split('\n\n');
  if (head !== 'WEBVTT') throw new Error(`not WebVTT: ${head}`);
  return cues.map((cue) => {
    const match = CUE.exec(cue);
    if (!match) throw new Error(`not a cue: ${cue}`);
    const [, start = '', end = '', image = '', ...place] = match;
    const [x = 0, y = 0, width = 0, height = 0] = place.map(Number);
    return { start: seconds(start), end: seconds(end), image, x, y, width, height };
  });
}

const seconds = (time: string) => time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);

/** Width and height in pixels. */
export async function sizeOf(image: Buffer): Promise<[number, number]> {
  const file = await keep(image);
  const { stdout } = await run('ffprobe', [
    ...['-v', 'error', '-show_entries', 'stream=codec_name,width,height', '-of', 'csv=p=0', file],
  ]);
  const [codec, width, height] = stdout.toString().trim().split(',');
  if (codec !== 'mjpeg') throw new Error(`not a JPEG but ${codec}`);
  return [Number(width), Number(height)];
}

/** The number of the frame (test/clips/picture.ts) that a part of an image shows. */
export async function frameShown(
  image: Buffer,
  part?: Pick<Cue, 'x' | 'y' | 'width' | 'height'>,
): Promise<number | null> {
  const file = await keep(image);
  if (!part) return (await readFrames(file))[0]?.number ?? null;
  const cropped = `${file}.png`;
  const crop = `crop=${part.width}:${part.height}:${part.x}:${part.y}:exact=1`;
  await run('ffmpeg', ['-v', 'error', '-y', '-i', file, '-vf', crop, cropped]);
  return (await readFrames(cropped))[0]?.number ?? null;
}

async function keep(image: Buffer): Promise<string> {
  const file = join(await testDir('picture'), 'image.jpg');
  await writeFile(file, image);
  return file;
}
