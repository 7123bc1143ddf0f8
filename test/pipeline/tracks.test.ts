import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Stack, startStack } from '#testing';
import { spoken } from '../clips/spoken.js';
import { readMultivariant } from '../verify/playlist.js';
import { fetchText } from '../verify/rendition.js';
import { verifyStream } from '../verify/stream.js';
import { MANY_SPANS, mustComplete, streamOf, upload } from './harness.js';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: MANY_SPANS });
});
afterAll(async () => {
  await stack?.stop();
});

it('S1-08 a file with three languages and two tracks of text becomes a stream that has them all', async () => {
  const source = await spoken({ file: 'spoken.mkv', seconds: 3, textCodecs: ['subrip', 'ass'] });
  const job = await mustComplete(stack, await upload(stack, source));
  const { hls, dash } = streamOf(stack, job);
  const verified = await verifyStream({ hls, dash }, { source, frames: 'numbered', sound: true });
  expect(verified.problems).toEqual([]);
  expect(verified.extents.map((one) => one.name)).toEqual(['240p', 'audio', 'audio-2', 'audio-3']);

  const text = await fetchText(hls);
  const { audio, subtitles } = readMultivariant(text, hls);
  expect(audio.map((track) => [track.name, track.language])).toEqual([
    ['English', 'en'],
    ["Kommentar 'der' <Regie>", 'de'],
    ['日本語', 'ja'],
  ]);
  expect(text.match(/DEFAULT=YES/g)).toHaveLength(1);
  expect(text).toMatch(/NAME="Kommentar[^\n]*DEFAULT=NO,AUTOSELECT=NO/);
  expect(subtitles.map((track) => [track.name, track.language, track.forced])).toEqual([
    ['English', 'en', false],
    ['Deutsch', 'de', true],
  ]);

  const [english, german] = await Promise.all(
    subtitles.map(async ({ url }) => {
      const playlist = await fetchText(url);
      expect(playlist).toMatch(/#EXTINF:3\.000000,\nseg_0000-[0-9a-f]{8}\.vtt\n#EXT-X-ENDLIST/);
      const response = await fetch(new URL(/^seg.*$/m.exec(playlist)?.[0] ?? '', url));
      expect(response.headers.get('content-type')).toBe('text/vtt; charset=utf-8');
      return response.text();
    }),
  );
  expect(english).toMatch(/^WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00\.000\n/);
  expect(english).toContain('00:00:00.500 --> 00:00:01.500\nFirst &amp; foremost\n');
  expect(english).toContain('00:00:02.500 --> 00:00:03.000\nBeyond the end\n');
  expect(english).toContain('<b>bold</b>');
  expect(english).not.toMatch(/<(?!\/?[biu]>)/);
  expect(german).toContain('00:00:00.500 --> 00:00:01.250\n<i>Guten</i> Tag\nund gut\n');

  const sets = (await fetchText(dash)).split('<AdaptationSet').slice(2);
  const roles = sets.map((set) => [
    /lang="([^"]*)"/.exec(set)?.[1],
    /<Role[^>]*value="([^"]*)"/.exec(set)?.[1],
  ]);
  expect(roles).toEqual([
    ['en', 'main'],
    ['de', 'commentary'],
    ['ja', 'alternate'],
    ['en', 'subtitle'],
    ['de', 'forced-subtitle'],
  ]);
  expect(sets[3]).toMatch(
    /mimeType="text\/vtt"[\s\S]*<BaseURL>subtitles\/seg_0000-[0-9a-f]{8}\.vtt<\/BaseURL>/,
  );
});

it('S3-08 the same file sent for one rung without sound is another asset, and has nothing else', async () => {
  const source = await spoken({ file: 'spoken.mkv', seconds: 3, textCodecs: ['subrip', 'ass'] });
  const wish = { renditions: ['240p', '1080p'], audio: 'none', subtitles: false };
  const job = await mustComplete(stack, await upload(stack, source, undefined, wish));
  const { hls, dash } = streamOf(stack, job);
  const verified = await verifyStream({ hls, dash }, { source, frames: 'numbered', sound: false });
  expect(verified.problems).toEqual([]);
  expect(verified.extents.map((one) => one.name)).toEqual(['240p']);
  expect(readMultivariant(await fetchText(hls), hls).subtitles).toEqual([]);
});

it('S4-08 text that cannot be read is left out with a word of it, and the stream is made', async () => {
  // Work that has ended its process three times is poison.
  await stack.query(`CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN NEW.unclean_deaths = 3; RETURN NEW; END'`);
  await stack.query(`CREATE TRIGGER poison BEFORE INSERT ON spans FOR EACH ROW
    WHEN (NEW.kind = 'subtitles') EXECUTE FUNCTION poison()`);
  const source = await spoken({ file: 'unread.mkv', seconds: 2, textCodecs: ['subrip'] });
  const job = await mustComplete(stack, await upload(stack, source));
  expect(
    await stack.query(`SELECT status, error_code FROM spans WHERE job_id = $1 AND kind = 'subtitles'`, [
      job.id,
    ]),
  ).toEqual([{ status: 'done', error_code: 'encode_failed' }]);
  expect(await fetchText(streamOf(stack, job).hls)).not.toContain('SUBTITLES');
  const said = await stack.query('SELECT message FROM progress_events WHERE job_id = $1', [job.id]);
  expect(said.map((row) => row.message).join()).toContain('is left out (subtitles)');
  const warning = 'A track of the video could not be converted and is left out (subtitles).';
  expect(job.warnings).toEqual([{ code: 'track_left_out', message: warning }]);
});
