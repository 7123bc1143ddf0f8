import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '#testing';
import { openFiles } from './open-files.js';
import { type GatewayAlone, lastPart, problem, startGatewayAlone, type Upload } from './rows.js';

let gateway: GatewayAlone;
let upload: Upload;
let segmentKey: string;
const SEGMENT = 'segment 0 of 240p, some bytes';

beforeAll(async () => {
  gateway = await startGatewayAlone();
  upload = await gateway.insertUpload();
  const video = await gateway.insertRendition(upload, '240p', true);
  await gateway.storeInit(upload, video, '240p');
  segmentKey = await gateway.storeSegment(upload, video, '240p', 0);
  await gateway.store.put(`media/${upload.assetId}/master.m3u8`, Buffer.from('#EXTM3U\n'));
  await gateway.store.put(`media/${upload.assetId}/240p/index.m3u8`, Buffer.from('#EXTM3U\n'));
  await gateway.store.put(`media/${upload.assetId}/manifest.mpd`, Buffer.from('<MPD/>'));
});
afterAll(() => gateway?.stop());

const segment = (headers: Record<string, string> = {}, method = 'GET') =>
  gateway.get(`/${segmentKey}`, { headers, method });

describe('stored media', () => {
  it('a segment is typed, whole and may be kept for ever', async () => {
    const response = await segment();
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(SEGMENT);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'video/iso.segment',
      'content-length': String(SEGMENT.length),
      'cache-control': 'public, max-age=31536000, immutable',
      'accept-ranges': 'bytes',
      etag: `"${lastPart(segmentKey)}"`,
      vary: 'Origin',
    });
  });

  it('HEAD says the same without a body', async () => {
    const response = await segment({}, 'HEAD');
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([
      200,
      String(SEGMENT.length),
      '',
    ]);
    const range = await segment({ range: 'bytes=0-3' }, 'HEAD');
    expect([range.status, range.headers.get('content-length')]).toEqual([206, '4']);
  });

  it.each([
    ['master.m3u8', 'application/vnd.apple.mpegurl'],
    ['240p/index.m3u8', 'application/vnd.apple.mpegurl'],
    ['manifest.mpd', 'application/dash+xml'],
  ])('%s is %s, kept for a minute and revalidated by its ETag', async (name, type) => {
    const response = await gateway.get(`/media/${upload.assetId}/${name}`);
    expect([
      response.status,
      response.headers.get('content-type'),
      response.headers.get('cache-control'),
    ]).toEqual([200, type, 'public, max-age=60']);
    const etag = response.headers.get('etag') ?? '';
    const again = await gateway.get(`/media/${upload.assetId}/${name}`, {
      headers: { 'if-none-match': etag },
    });
    expect([again.status, await again.text()]).toEqual([304, '']);
  });

  it.each([
    ['bytes=0-6', 'segment', '0-6'],
    ['bytes=8-', SEGMENT.slice(8), `8-${SEGMENT.length - 1}`],
    ['bytes=-5', 'bytes', `${SEGMENT.length - 5}-${SEGMENT.length - 1}`],
    ['bytes=24-9999', SEGMENT.slice(24), `24-${SEGMENT.length - 1}`],
  ])('the range %s is answered with 206', async (range, body, shown) => {
    const response = await segment({ range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes ${shown}/${SEGMENT.length}`);
    expect(response.headers.get('content-length')).toBe(String(body.length));
    expect(await response.text()).toBe(body);
  });

  it('a range beyond the end is 416 and says the size', async () => {
    const response = await segment({ range: 'bytes=9999-' });
    expect(response.headers.get('content-range')).toBe(`bytes */${SEGMENT.length}`);
    expect(await problem(response)).toEqual([416, 'range_not_satisfiable']);
  });

  it('If-Range decides by the name, and several ranges are the whole', async () => {
    const etag = `"${lastPart(segmentKey)}"`;
    expect((await segment({ range: 'bytes=0-1', 'if-range': etag })).status).toBe(206);
    expect((await segment({ range: 'bytes=0-1', 'if-range': '"another"' })).status).toBe(200);
    expect((await segment({ range: 'bytes=0-1,4-5' })).status).toBe(200);
  });

  it('S0-04 anything but exactly one of our names is 404', async () => {
    const asset = upload.assetId;
    await gateway.store.put(`media/${asset}/240p/secret.txt`, Buffer.from('secret'));
    const paths = [
      `/media/${asset}/240p/secret.txt`,
      `/media/${asset}/240p/../master.m3u8`,
      `/media/${asset}/%2e%2e/${asset}/master.m3u8`,
      `/media/${asset}/240p/%2e%2e%2fmaster.m3u8`,
      `/media/${asset}/240p/%252e%252e%252fmaster.m3u8`,
      `/media/${asset}/240p%252f${lastPart(segmentKey)}`,
      `/media/${asset}/240p/..%5cmaster.m3u8`,
      `/media/${asset}/240p/${lastPart(segmentKey)}%00`,
      `/media/${asset}/240p/${lastPart(segmentKey)}/`,
      `/media/${asset}/240P/${lastPart(segmentKey)}`,
      `/media/${asset}/999p/${lastPart(segmentKey)}`,
      `/media/${asset}//${lastPart(segmentKey)}`,
      `/media/${asset}/`,
      `/media/${asset.toUpperCase()}/master.m3u8`,
      `/media/../${segmentKey}`,
      '/media/..%2f..%2fetc/passwd',
      `/media/${randomUUID()}/master.m3u8`,
    ];
    for (const path of paths) expect([path, await rawStatus(path)]).toEqual([path, 404]);
  });

  it('an address that can not be decoded is 400 with a code', async () => {
    expect(await problem(await gateway.get('/media/%ff/master.m3u8'))).toEqual([400, 'bad_request']);
  });

  it('a client that goes away in the middle leaves no open file', async () => {
    const name = 'seg_0001-0a0b0c0d.m4s';
    await gateway.store.put(`media/${upload.assetId}/240p/${name}`, Buffer.alloc(32 * 1024 * 1024));
    const pid = gateway.stack.processes.gateway[0]?.process.pid ?? 0;
    const abort = new AbortController();
    const response = await gateway.get(`/media/${upload.assetId}/240p/${name}`, { signal: abort.signal });
    await response.body?.getReader().read();
    await waitFor(async () => (await openFiles(pid)).some((file) => file.endsWith(name)), {
      what: 'the file to be open',
    });
    abort.abort();
    await waitFor(async () => !(await openFiles(pid)).some((file) => file.endsWith(name)), {
      what: 'the file to be closed',
    });
  });
});

/** Without a client that tidies the path first. */
function rawStatus(path: string): Promise<number> {
  const { hostname, port, host } = new URL(gateway.url);
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(Number(port), hostname, () =>
      socket.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`),
    );
    socket.on('data', (data) => {
      received += data.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('end', () => resolve(Number(received.split(' ')[1])));
  });
}
