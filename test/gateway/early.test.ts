import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitFor } from '#testing';
import { type GatewayAlone, lastPart, problem, startGatewayAlone, type Upload } from './rows.js';

let gateway: GatewayAlone;
beforeAll(async () => {
  gateway = await startGatewayAlone();
});
afterAll(() => gateway?.stop());

const early = (upload: Upload, rendition = '') =>
  gateway.get(`/media/${upload.assetId}/${rendition === '' ? '' : `${rendition}/`}early.m3u8`);

/** Rows are read once a second. */
const becomes = (
  ask: () => Promise<Response>,
  condition: (text: string, status: number) => boolean,
  what: string,
) =>
  waitFor(
    async () => {
      const response = await ask();
      const text = await response.text();
      return condition(text, response.status) ? text : false;
    },
    { what, timeoutMs: 5000, intervalMs: 50 },
  );

it('the early multivariant appears when each member of the start set has a segment, and never changes', async () => {
  const upload = await gateway.insertUpload();
  const low = await gateway.insertRendition(upload, '240p', true);
  const audio = await gateway.insertRendition(upload, 'audio', true);
  const high = await gateway.insertRendition(upload, '720p', false);
  await gateway.storeInit(upload, low, '240p');
  await gateway.storeSegment(upload, low, '240p', 0);
  await gateway.storeInit(upload, audio, 'audio');
  await gateway.storeSegment(upload, audio, 'audio', 1);
  const before = await early(upload);
  expect(await problem(before)).toEqual([404, 'not_playable_yet']);

  await gateway.storeSegment(upload, audio, 'audio', 0);
  const text = await becomes(
    () => early(upload),
    (_, status) => status === 200,
    'the early multivariant',
  );
  expect(text).toContain('#EXT-X-START:TIME-OFFSET=0');
  expect(text).toContain('URI="audio/early.m3u8"');
  expect(text).toContain('CODECS="avc1.64001f,mp4a.40.2"');
  expect(text).toContain('\n240p/early.m3u8\n');
  expect(text).not.toContain('720p');

  await gateway.storeInit(upload, high, '720p');
  await gateway.storeSegment(upload, high, '720p', 0);
  await becomes(
    () => early(upload, '720p'),
    (_, status) => status === 200,
    'the other rung to be known',
  );
  const after = await early(upload);
  expect(await after.text()).toBe(text);
  expect(after.headers.get('cache-control')).toBe('no-store');
  expect(after.headers.get('content-type')).toBe('application/vnd.apple.mpegurl');
});

it('the early media playlist lists what is stored without a gap, grows at its end and ends', async () => {
  const upload = await gateway.insertUpload();
  const video = await gateway.insertRendition(upload, '240p', true);
  const init = await gateway.storeInit(upload, video, '240p');
  const keys = [
    await gateway.storeSegment(upload, video, '240p', 0),
    await gateway.storeSegment(upload, video, '240p', 1),
  ];
  const third = await gateway.storeSegment(upload, video, '240p', 3);

  const first = await (await early(upload, '240p')).text();
  expect(first.split('\n')).toEqual([
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    '#EXT-X-TARGETDURATION:5',
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-PLAYLIST-TYPE:EVENT',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    `#EXT-X-MAP:URI="${lastPart(init)}"`,
    '#EXTINF:4.000000,',
    lastPart(keys[0] ?? ''),
    '#EXTINF:4.000000,',
    lastPart(keys[1] ?? ''),
    '',
  ]);

  const second = await gateway.storeSegment(upload, video, '240p', 2);
  const grown = await becomes(
    () => early(upload, '240p'),
    (text) => text.includes(lastPart(third)),
    'the gap to be filled',
  );
  expect(grown.startsWith(first)).toBe(true);
  expect(grown).toContain(`${lastPart(second)}\n#EXTINF:4.000000,\n${lastPart(third)}\n`);
  expect(grown).not.toContain('ENDLIST');

  await gateway.database.query(
    'UPDATE renditions SET segments_total = 4, segments_completed = 4, completed_at = now() WHERE id = $1',
    [video],
  );
  const ended = await becomes(
    () => early(upload, '240p'),
    (text) => text.includes('ENDLIST'),
    'the end',
  );
  expect(ended).toBe(`${grown}#EXT-X-ENDLIST\n`);

  await gateway.database.query("UPDATE jobs SET status = 'completed' WHERE id = $1", [upload.jobId]);
  await gateway.database.query("UPDATE assets SET status = 'ready' WHERE id = $1", [upload.assetId]);
  for (const line of ended.split('\n').filter((one) => one.endsWith('.m4s'))) {
    expect((await gateway.get(`/media/${upload.assetId}/240p/${line}`)).status).toBe(200);
  }
  expect((await early(upload)).status).toBe(200);
});

it('a failed job has no early playlist any more: its media goes', async () => {
  const upload = await gateway.insertUpload();
  const video = await gateway.insertRendition(upload, '240p', true);
  await gateway.storeInit(upload, video, '240p');
  await gateway.storeSegment(upload, video, '240p', 0);
  expect((await early(upload)).status).toBe(200);
  expect((await early(upload, '240p')).status).toBe(200);
  await gateway.database.query("UPDATE jobs SET status = 'failed', error_code = 'cancelled' WHERE id = $1", [
    upload.jobId,
  ]);
  await becomes(
    () => early(upload),
    (_, status) => status === 404,
    'the multivariant to go',
  );
  expect((await early(upload, '240p')).status).toBe(404);
});

it('however many players poll, the database is asked once a second', async () => {
  const upload = await gateway.insertUpload();
  const video = await gateway.insertRendition(upload, '240p', true);
  await gateway.storeInit(upload, video, '240p');
  await gateway.storeSegment(upload, video, '240p', 0);
  await early(upload, '240p');
  const started = performance.now();
  await gateway.storeSegment(upload, video, '240p', 1);
  const texts = new Set<string>();
  await waitFor(
    async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, async () => (await early(upload, '240p')).text()),
      );
      for (const text of answers) texts.add(text);
      return texts.size > 1;
    },
    { what: 'the next segment to be listed', timeoutMs: 5000, intervalMs: 1 },
  );
  expect(texts.size).toBe(2);
  expect(performance.now() - started).toBeGreaterThan(500);
});
