/** A picture of a storyboard: its time, and its place in a sprite. */
export interface Tile {
  /** Seconds. */
  start: number;
  end: number;
  image: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

const CUE = /^([\d:.]+) --> ([\d:.]+)\s+(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/gm;

/** Reads WebVTT whose cues name parts of images beside `url`; what is no such cue is left out. */
export function parseStoryboard(text: string, url: string): Tile[] {
  return [...text.matchAll(CUE)].map(([, start = '', end = '', name = '', ...place]) => {
    const [x = 0, y = 0, width = 0, height = 0] = place.map(Number);
    return {
      start: toSeconds(start),
      end: toSeconds(end),
      image: new URL(name, url).href,
      x,
      y,
      width,
      height,
    };
  });
}

const toSeconds = (time: string): number => time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);

/** The last tile that begins at or before `seconds`. */
export function tileAt(tiles: readonly Tile[], seconds: number): Tile | undefined {
  return tiles.findLast((tile) => tile.start <= seconds) ?? tiles[0];
}

/** `12:05`, `1:02:05` */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = String(rest).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`;
}
