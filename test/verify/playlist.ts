/** HLS playlists (RFC 8216) as strictly as the checks need them; a line that is not understood is an error. */
export interface MediaPlaylist {
  url: string;
  targetDuration: number;
  type: string | null;
  ended: boolean;
  map: string;
  segments: { url: string; duration: number }[];
}

export interface Variant {
  url: string;
  bandwidth: number;
  averageBandwidth: number;
  codecs: string[];
  width: number;
  height: number;
  frameRate: number;
  audioGroup: string | null;
  subtitleGroup: string | null;
}

export interface MultivariantPlaylist {
  url: string;
  variants: Variant[];
  audio: { url: string; group: string; channels: string | null; language: string | null; name: string }[];
  subtitles: { url: string; group: string; language: string | null; name: string; forced: boolean }[];
}

export class BrokenPlaylist extends Error {}

const KNOWN =
  /^#(EXTM3U|EXT-X-(VERSION|INDEPENDENT-SEGMENTS|START|MEDIA-SEQUENCE|TARGETDURATION|PLAYLIST-TYPE|ENDLIST|MAP|MEDIA|STREAM-INF)|EXTINF)\b/;

function lines(text: string, url: string): string[] {
  const found = text.split(/\r?\n/).filter((line) => line !== '');
  if (found[0] !== '#EXTM3U') throw new BrokenPlaylist(`${url} does not begin with #EXTM3U`);
  const odd = found.find((line) => line.startsWith('#EXT') && !KNOWN.test(line));
  if (odd) throw new BrokenPlaylist(`${url} has a line that this check does not know: ${odd}`);
  return found;
}

function attributes(line: string): Map<string, string> {
  const list = line.slice(line.indexOf(':') + 1);
  return new Map(
    [...list.matchAll(/([A-Z0-9-]+)=("[^"]*"|[^,]*)/g)].map((match) => [
      match[1] as string,
      (match[2] as string).replace(/^"|"$/g, ''),
    ]),
  );
}

function must(map: Map<string, string>, name: string, url: string): string {
  const value = map.get(name);
  if (value === undefined) throw new BrokenPlaylist(`${url}: ${name} is missing`);
  return value;
}

export function readMultivariant(text: string, url: string): MultivariantPlaylist {
  const result: MultivariantPlaylist = { url, variants: [], audio: [], subtitles: [] };
  const all = lines(text, url);
  for (const [index, line] of all.entries()) {
    if (line.startsWith('#EXT-X-MEDIA:')) {
      const has = attributes(line);
      const track = {
        url: new URL(must(has, 'URI', url), url).href,
        group: must(has, 'GROUP-ID', url),
        language: has.get('LANGUAGE') ?? null,
        name: must(has, 'NAME', url),
      };
      if (has.get('TYPE') === 'SUBTITLES')
        result.subtitles.push({ ...track, forced: has.get('FORCED') === 'YES' });
      else if (has.get('TYPE') === 'AUDIO')
        result.audio.push({ ...track, channels: has.get('CHANNELS') ?? null });
      else throw new BrokenPlaylist(`${url}: only audio and subtitles are expected: ${line}`);
    } else if (line.startsWith('#EXT-X-STREAM-INF:')) {
      const has = attributes(line);
      const [width = 0, height = 0] = must(has, 'RESOLUTION', url).split('x').map(Number);
      result.variants.push({
        url: new URL(all[index + 1] ?? '', url).href,
        bandwidth: Number(must(has, 'BANDWIDTH', url)),
        averageBandwidth: Number(has.get('AVERAGE-BANDWIDTH') ?? has.get('BANDWIDTH')),
        codecs: must(has, 'CODECS', url).split(','),
        width,
        height,
        frameRate: Number(must(has, 'FRAME-RATE', url)),
        audioGroup: has.get('AUDIO') ?? null,
        subtitleGroup: has.get('SUBTITLES') ?? null,
      });
    }
  }
  if (result.variants.length === 0) throw new BrokenPlaylist(`${url} lists no variant`);
  return result;
}

export function readMediaPlaylist(text: string, url: string): MediaPlaylist {
  const all = lines(text, url);
  const value = (tag: string) => all.find((line) => line.startsWith(`#${tag}:`))?.slice(tag.length + 2);
  const map = all.find((line) => line.startsWith('#EXT-X-MAP:'));
  if (!map) throw new BrokenPlaylist(`${url} has no EXT-X-MAP`);
  const segments = all.flatMap((line, index) =>
    line.startsWith('#EXTINF:')
      ? [{ duration: Number.parseFloat(line.slice(8)), url: new URL(all[index + 1] ?? '', url).href }]
      : [],
  );
  return {
    url,
    targetDuration: Number(value('EXT-X-TARGETDURATION')),
    type: value('EXT-X-PLAYLIST-TYPE') ?? null,
    ended: all.includes('#EXT-X-ENDLIST'),
    map: new URL(must(attributes(map), 'URI', url), url).href,
    segments,
  };
}
