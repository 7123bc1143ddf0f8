import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '#testing';
import {
  assembled,
  created,
  eventsOf,
  expectNothingLeft,
  jobOf,
  look,
  objects,
  publish,
  rowsOf,
  sha256,
  startUploads,
  type UploadStack,
  videoBytes,
} from './support.js';
import { idOf, metadata, offsetOf, open, patch, STREAM, stall, tus, VERSION } from './tus-support.js';

let stack: UploadStack;
let url: string;

beforeAll(async () => {
  stack = await startUploads(1, { ALLOWED_ORIGINS: 'http://pages.test' });
  url = stack.uploads[0]!;
});
afterAll(() => stack?.stop());

const said = ({ status, code }: { status: number; code: string | undefined }) => [status, code];

describe('tus core', () => {
  it('"The Server MUST always include the Upload-Offset header in the response for a HEAD request, even if the offset is 0"', async () => {
    const path = await open(url, 3000);
    const reply = await tus(url, 'HEAD', path);
    expect(reply.status).toBe(200);
    expect(reply.headers).toMatchObject({
      'upload-offset': '0',
      'upload-length': '3000',
      'cache-control': 'no-store',
      'tus-resumable': '1.0.0',
    });
  });

  it('"If the resource is not found, the Server SHOULD return either the 404 Not Found, 410 Gone or 403 Forbidden status without the Upload-Offset header"', async () => {
    const { session_id: ofAnotherDoor } = await created(url, {});
    for (const id of [randomUUID(), ofAnotherDoor]) {
      const reply = await tus(url, 'HEAD', `/files/${id}`);
      expect([reply.status, reply.headers['upload-offset']]).toEqual([404, undefined]);
      expect(said(await patch(url, `/files/${id}`, 0, Buffer.from('x')))).toEqual([404, 'session_not_found']);
    }
    expect(said(await tus(url, 'PATCH', '/files/etc', STREAM))).toEqual([404, 'session_not_found']);
  });

  it('"The Server MUST acknowledge successful PATCH requests with the 204 No Content status. It MUST include the Upload-Offset header containing the new offset."', async () => {
    const file = videoBytes(9000);
    const path = await open(url, file.length);
    const first = await patch(url, path, 0, file.subarray(0, 5000));
    expect([first.status, first.headers['upload-offset']]).toEqual([204, '5000']);
    expect(first.headers['upload-expires']).toMatch(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
    expect(await offsetOf(url, path)).toBe(5000);
    const last = await patch(url, path, 5000, file.subarray(5000));
    expect([last.status, last.headers['upload-offset']]).toEqual([204, '9000']);
    expect((await assembled(stack, idOf(path))).equals(file)).toBe(true);
    // The largest chunk here is 4096 bytes: a longer body is cut.
    expect((await rowsOf(stack, idOf(path))).map((row) => Number(row.size))).toEqual([4096, 904, 4000]);
    expect(await eventsOf(stack, idOf(path))).toEqual(['upload_started', 'upload_completed']);
    expect(await jobOf(stack, idOf(path))).toMatchObject({ source_complete: true, progress: 10 });
    expect((await look(url, idOf(path))).body.data).toMatchObject({
      status: 'completed',
      filename: 'clip.mp4',
    });
  });

  it('"The Upload-Offset header\'s value MUST be equal to the current offset … If the offsets do not match, the Server MUST respond with the 409 Conflict status without modifying the upload resource."', async () => {
    const path = await open(url, 3000);
    for (const offset of [1, 3000, 99999]) {
      expect(said(await patch(url, path, offset, Buffer.alloc(10)))).toEqual([409, 'upload_offset_mismatch']);
    }
    await expectNothingLeft(stack, idOf(path));
  });

  it('"All PATCH requests MUST use Content-Type: application/offset+octet-stream, otherwise the server SHOULD return a 415 Unsupported Media Type status."', async () => {
    const path = await open(url, 3000);
    for (const type of ['application/octet-stream', 'application/json', 'text/plain', 'x/y']) {
      const reply = await patch(url, path, 0, Buffer.alloc(10), { 'content-type': type });
      expect(said(reply)).toEqual([415, 'unsupported_media_type']);
    }
    expect(await offsetOf(url, path)).toBe(0);
  });

  it('refuses offsets and bodies that make no sense, and nothing is left', async () => {
    const path = await open(url, 3000);
    const refusals = [
      await tus(url, 'PATCH', path, STREAM, Buffer.alloc(10)),
      await patch(url, path, 0, Buffer.alloc(10), { 'upload-offset': '-1' }),
      await patch(url, path, 0, Buffer.alloc(10), { 'upload-offset': '1e3' }),
      await patch(url, path, 0, Buffer.alloc(10), { 'upload-offset': '99999999999999999999' }),
    ];
    for (const reply of refusals) expect(said(reply)).toEqual([400, 'validation_failed']);
    expect(said(await patch(url, path, 0, videoBytes(3001)))).toEqual([416, 'chunk_out_of_range']);
    const chunked = await tus(
      url,
      'PATCH',
      path,
      { ...STREAM, 'upload-offset': '0', 'transfer-encoding': 'chunked' },
      null,
    );
    expect(chunked.status).toBe(204);
    await expectNothingLeft(stack, idOf(path));
  });

  it('takes a body of a length that only its end tells, and refuses one that is too long', async () => {
    const file = videoBytes(6000);
    const path = await open(url, file.length);
    const send = (body: Buffer) =>
      fetch(`${url}${path}`, {
        method: 'PATCH',
        headers: { ...VERSION, ...STREAM, 'upload-offset': '0' },
        body: new ReadableStream({
          start(controller) {
            controller.enqueue(new Uint8Array(body));
            controller.close();
          },
        }),
        duplex: 'half',
      } as RequestInit);
    expect((await send(Buffer.concat([file, Buffer.from('!')]))).status).toBe(416);
    // What came before the byte too many is kept: it was inside of the file.
    expect(await offsetOf(url, path)).toBe(4096);
    expect((await patch(url, path, 4096, file.subarray(4096))).status).toBe(204);
    expect((await assembled(stack, idOf(path))).equals(file)).toBe(true);
  });

  it('"The Server SHOULD always attempt to store as much of the received data as possible."', async () => {
    const file = videoBytes(9000);
    const path = await open(url, file.length);
    const socket = await stall(url, path, { offset: 0, length: 9000, bytes: file.subarray(0, 6100) });
    await waitFor(async () => (await rowsOf(stack, idOf(path))).length === 1, { what: 'the first piece' });
    socket.destroy();
    await waitFor(async () => (await offsetOf(url, path)) === 6100, { what: 'what arrived to be kept' });
    expect((await patch(url, path, 6100, file.subarray(6100))).status).toBe(204);
    expect((await assembled(stack, idOf(path))).equals(file)).toBe(true);
  });

  it('"If the version specified by the Client is not supported by the Server, it MUST respond with the 412 Precondition Failed status and MUST include the Tus-Version header"', async () => {
    for (const [method, path] of [
      ['POST', '/files'],
      ['HEAD', `/files/${randomUUID()}`],
    ] as const) {
      for (const version of ['0.2.2', '']) {
        const reply = await tus(url, method, path, { 'tus-resumable': version, 'upload-length': '10' });
        expect([reply.status, reply.headers['tus-version']]).toEqual([412, '1.0.0']);
      }
    }
  });

  it('"An OPTIONS request MAY be used to gather information about the Server\'s current configuration"', async () => {
    const reply = await fetch(`${url}/files`, { method: 'OPTIONS' });
    expect(reply.status).toBe(204);
    expect(Object.fromEntries(reply.headers)).toMatchObject({
      'tus-resumable': '1.0.0',
      'tus-version': '1.0.0',
      'tus-max-size': '100000',
      'tus-extension':
        'creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,concatenation',
      'tus-checksum-algorithm': 'sha256,sha1,md5',
    });
  });

  it('"If this header is present, the Server MUST use its value as the request\'s method and MUST ignore the actual method"', async () => {
    const file = videoBytes(2000);
    const path = await open(url, file.length);
    const as = (method: string) => ({ 'x-http-method-override': method });
    const sent = await tus(
      url,
      'POST',
      path,
      { ...STREAM, 'upload-offset': '0', ...as('PATCH') },
      file.subarray(0, 99),
    );
    expect([sent.status, sent.headers['upload-offset']]).toEqual([204, '99']);
    expect((await tus(url, 'POST', path, as('DELETE'))).status).toBe(204);
    expect(said(await tus(url, 'POST', path, as('TRACE')))).toEqual([400, 'method_not_allowed']);
  });

  it('lets pages of listed origins, and of no others, send and read its headers', async () => {
    const asked = {
      origin: 'http://pages.test',
      'access-control-request-method': 'PATCH',
      'access-control-request-headers': 'tus-resumable,upload-offset,content-type',
    };
    const preflight = await fetch(`${url}/files/${randomUUID()}`, { method: 'OPTIONS', headers: asked });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-methods')).toContain('PATCH');
    const allowed = preflight.headers.get('access-control-allow-headers')?.split(', ');
    expect(allowed).toEqual(expect.arrayContaining(['tus-resumable', 'upload-offset', 'upload-checksum']));
    const path = await open(url, 10);
    const reply = await tus(url, 'HEAD', path, { origin: 'http://pages.test' });
    expect(String(reply.headers['access-control-expose-headers']).split(', ')).toEqual(
      expect.arrayContaining(['location', 'upload-offset', 'upload-length', 'upload-expires', 'tus-version']),
    );
    const stranger = await fetch(`${url}/files`, {
      method: 'OPTIONS',
      headers: { ...asked, origin: 'http://evil.test' },
    });
    expect(stranger.status).toBe(403);
  });
});

describe('tus creation', () => {
  const create = (headers: Record<string, string>, body: Uint8Array | null = null) =>
    tus(url, 'POST', '/files', headers, body);

  it('"The Server MUST acknowledge a successful upload creation with the 201 Created status. The Server MUST set the Location header"', async () => {
    const reply = await create({
      'upload-length': '5000',
      ...metadata({
        filename: 'Ferien 2026 ☀.MP4',
        filetype: 'video/mp4',
        priority: '8',
        user_id: 'u1',
        note: 'x',
        relativePath: 'null',
      }),
    });
    expect(reply.status).toBe(201);
    expect(reply.headers.location).toMatch(/^\/files\/[0-9a-f-]{36}$/);
    expect(reply.headers['upload-expires']).toBeDefined();
    const id = idOf(String(reply.headers.location));
    const [row] = await stack.query('SELECT * FROM upload_sessions WHERE id = $1', [id]);
    expect(row).toMatchObject({
      filename: 'Ferien 2026 ☀.MP4',
      content_type: 'video/mp4',
      file_size: 5000,
      priority: 8,
      user_id: 'u1',
      options: { note: 'x', relativePath: 'null' },
    });
    expect(await eventsOf(stack, id)).toEqual(['upload_started']);
  });

  it('"If an upload contains additional metadata, responses to HEAD requests MUST include the Upload-Metadata header and its value as specified by the Client during the creation."', async () => {
    const given = metadata({ empty: '', filename: 'clip.mp4' });
    const path = await open(url, 10, given);
    expect((await tus(url, 'HEAD', path)).headers['upload-metadata']).toBe(given['upload-metadata']);
  });

  it('gives an upload without a name one that fits its type', async () => {
    const bare = await create({ 'upload-length': '10' });
    expect((await look(url, idOf(String(bare.headers.location)))).body.data.filename).toBe('upload.mp4');
    const typed = await create({ 'upload-length': '10', ...metadata({ type: 'video/webm' }) });
    expect((await look(url, idOf(String(typed.headers.location)))).body.data.filename).toBe('upload.webm');
  });

  it('"The request MUST include one of the following headers: Upload-Length … or Upload-Defer-Length: 1"', async () => {
    const refusals = [
      await create({}),
      await create({ 'upload-length': '10', 'upload-defer-length': '1' }),
      await create({ 'upload-defer-length': '2' }),
      await create({ 'upload-length': 'ten' }),
      await create({ 'upload-length': '-1' }),
    ];
    for (const reply of refusals) expect(said(reply)).toEqual([400, 'validation_failed']);
    expect(said(await create({ 'upload-length': '0' }))).toEqual([400, 'empty_file']);
  });

  it('"If the length of the upload exceeds the maximum, the Server MUST respond with the 413 Request Entity Too Large status."', async () => {
    expect(said(await create({ 'upload-length': '100001' }))).toEqual([413, 'file_too_large']);
    const partial = { 'upload-length': '100001', 'upload-concat': 'partial' };
    expect(said(await create(partial))).toEqual([413, 'file_too_large']);
  });

  it.each([
    ['no Base64', 'filename ***', 400, 'validation_failed'],
    ['no UTF-8', 'filename /////w==', 400, 'validation_failed'],
    ['NUL', 'note AAAA', 400, 'validation_failed'],
    ['a key twice', 'a eA==,a eA==', 400, 'validation_failed'],
    ['three words', 'a b c', 400, 'validation_failed'],
    ['an empty pair', 'a eA==,', 400, 'validation_failed'],
    ['65 keys', Array.from({ length: 65 }, (_, i) => `k${i} eA==`).join(','), 400, 'validation_failed'],
    ['a priority of 11', 'priority MTE=', 400, 'validation_failed'],
    ['an unknown profile', 'profile eHl6', 400, 'unknown_profile'],
    ['a hash that is none', 'file_hash eHl6', 400, 'validation_failed'],
    ['a path', `filename ${Buffer.from('../../etc/passwd.mp4').toString('base64')}`, 400, 'invalid_filename'],
    ['a script', `filename ${Buffer.from('run.sh').toString('base64')}`, 415, 'extension_not_allowed'],
  ])('S2-06 refuses metadata with %s', async (_what, header, status, code) => {
    expect(said(await create({ 'upload-length': '10', 'upload-metadata': header }))).toEqual([status, code]);
  });

  it('keeps what names itself after a prototype as data', async () => {
    const path = await open(url, 10, metadata({ __proto__x: 'a', constructor: 'b', ['__proto__']: 'c' }));
    const [row] = await stack.query('SELECT options FROM upload_sessions WHERE id = $1', [idOf(path)]);
    expect(row?.options).toEqual(JSON.parse('{"__proto__x":"a","constructor":"b","__proto__":"c"}'));
  });

  it('"Upload-Defer-Length … as long as the length of the upload is not known, the Server MUST set Upload-Defer-Length: 1 in all responses to HEAD requests"; "Once it is known the Client MUST set the Upload-Length header in the next PATCH request. Once set the length MUST NOT be changed."', async () => {
    const file = videoBytes(5000);
    const reply = await create({ 'upload-defer-length': '1', ...metadata({ filename: 'a.mp4' }) });
    const path = String(reply.headers.location);
    expect((await patch(url, path, 0, file.subarray(0, 3000))).status).toBe(204);
    const before = await tus(url, 'HEAD', path);
    expect(before.headers).toMatchObject({ 'upload-defer-length': '1', 'upload-offset': '3000' });
    expect(before.headers['upload-length']).toBeUndefined();
    const short = await patch(url, path, 3000, Buffer.alloc(0), { 'upload-length': '2999' });
    expect(said(short)).toEqual([400, 'validation_failed']);
    const large = await patch(url, path, 3000, Buffer.alloc(0), { 'upload-length': '100001' });
    expect(said(large)).toEqual([413, 'file_too_large']);
    const some = await patch(url, path, 3000, file.subarray(3000, 4000), { 'upload-length': '5000' });
    expect(some.status).toBe(204);
    const other = await patch(url, path, 4000, Buffer.alloc(0), { 'upload-length': '6000' });
    expect(said(other)).toEqual([400, 'validation_failed']);
    const known = await tus(url, 'HEAD', path);
    expect(known.headers).toMatchObject({ 'upload-length': '5000', 'upload-offset': '4000' });
    expect(known.headers['upload-defer-length']).toBeUndefined();
    expect((await patch(url, path, 4000, file.subarray(4000))).status).toBe(204);
    expect((await look(url, idOf(path))).body.data.status).toBe('completed');
  });

  it('a length that is told after the last byte completes the upload', async () => {
    const file = videoBytes(1000);
    const reply = await create({ 'upload-defer-length': '1' });
    const path = String(reply.headers.location);
    await patch(url, path, 0, file);
    expect((await patch(url, path, 1000, Buffer.alloc(0), { 'upload-length': '1000' })).status).toBe(204);
    expect((await look(url, idOf(path))).body.data.status).toBe('completed');
  });

  it('a deferred length is held to the maximum', async () => {
    const reply = await create({ 'upload-defer-length': '1' });
    const path = String(reply.headers.location);
    expect(said(await patch(url, path, 0, videoBytes(100_001)))).toEqual([413, 'file_too_large']);
  });

  it('creation-with-upload: "The Client MAY include either the entirety or a chunk of the upload data in the body of the POST request. … the Server MUST include the Upload-Offset header in the response"', async () => {
    const file = videoBytes(6000);
    const some = await create({ ...STREAM, 'upload-length': '6000' }, file.subarray(0, 4500));
    expect([some.status, some.headers['upload-offset']]).toEqual([201, '4500']);
    const path = String(some.headers.location);
    expect((await patch(url, path, 4500, file.subarray(4500))).headers['upload-offset']).toBe('6000');
    const entirety = videoBytes(6000);
    const all = await create({ ...STREAM, 'upload-length': '6000' }, entirety);
    expect([all.status, all.headers['upload-offset']]).toEqual([201, '6000']);
    for (const [at, bytes] of [
      [path, file],
      [String(all.headers.location), entirety],
    ] as const) {
      expect((await assembled(stack, idOf(at))).equals(bytes)).toBe(true);
      expect((await look(url, idOf(at))).body.data.status).toBe('completed');
    }
  });

  it('an upload whose first bytes are refused is not left behind', async () => {
    const before = await stack.query(`SELECT count(*) FROM upload_sessions WHERE status = 'active'`);
    const text = Buffer.from('#EXTM3U\nfile:///etc/passwd\n'.repeat(50));
    const refused = await create({ ...STREAM, 'upload-length': '5000' }, text);
    expect(said(refused)).toEqual([415, 'not_a_video']);
    const wrong = await create({ 'content-type': 'text/plain', 'upload-length': '5000' }, text);
    expect(said(wrong)).toEqual([415, 'unsupported_media_type']);
    expect(await stack.query(`SELECT count(*) FROM upload_sessions WHERE status = 'active'`)).toEqual(before);
  });

  it('S3-05 content that is no video ends the upload', async () => {
    const path = await open(url, 5000);
    expect(said(await patch(url, path, 0, Buffer.from('<html>'.repeat(100))))).toEqual([415, 'not_a_video']);
    expect((await tus(url, 'HEAD', path)).status).toBe(415);
    await expectNothingLeft(stack, idOf(path));
  });

  it('S3-07 a file that is not the promised one is refused, and may be sent again', async () => {
    const file = videoBytes(3000);
    const path = await open(url, 3000, metadata({ filename: 'a.mp4', file_hash: sha256(file) }));
    const wrong = Buffer.from(file);
    wrong.writeUInt8(wrong.readUInt8(2999) ^ 1, 2999);
    expect(said(await patch(url, path, 0, wrong))).toEqual([422, 'file_hash_mismatch']);
    expect(await offsetOf(url, path)).toBe(0);
    expect((await patch(url, path, 0, file)).status).toBe(204);
  });

  it('S3-08 a known file is complete at its creation', async () => {
    const file = videoBytes(3000);
    const first = await open(url, 3000, metadata({ filename: 'a.mp4', sha256: sha256(file) }));
    await patch(url, first, 0, file);
    await publish(stack, idOf(first));
    const again = await create({
      'upload-length': '3000',
      ...metadata({ filename: 'b.mp4', sha256: sha256(file) }),
    });
    expect([again.status, again.headers['upload-offset']]).toEqual([201, '3000']);
    const head = await tus(url, 'HEAD', String(again.headers.location));
    expect(head.headers).toMatchObject({ 'upload-offset': '3000', 'upload-length': '3000' });
    expect((await jobOf(stack, idOf(String(again.headers.location)))).id).toBe(
      (await jobOf(stack, idOf(first))).id,
    );
  });
});

describe('tus termination', () => {
  it('"If this extension is supported … the Server SHOULD free associated resources and MUST respond with the 204 No Content status … For all future requests to this URL, the Server SHOULD respond with the 404 Not Found or 410 Gone status."', async () => {
    const path = await open(url, 3000);
    await patch(url, path, 0, videoBytes(1000));
    expect((await tus(url, 'DELETE', path)).status).toBe(204);
    await expectNothingLeft(stack, idOf(path));
    expect(await eventsOf(stack, idOf(path))).toEqual(['upload_started', 'upload_failed']);
    for (const method of ['HEAD', 'DELETE']) expect((await tus(url, method, path)).status).toBe(410);
    expect(said(await patch(url, path, 1000, Buffer.alloc(10)))).toEqual([410, 'session_cancelled']);
    expect((await tus(url, 'DELETE', `/files/${randomUUID()}`)).status).toBe(404);
  });
});

describe('tus expiration', () => {
  it('"If a Client does attempt to resume an upload which has since been removed by the Server, the Server SHOULD respond with the 404 Not Found or 410 Gone status."', async () => {
    const whole = await open(url, 3000);
    const part = await open(url, 3000, { 'upload-concat': 'partial' });
    for (const path of [whole, part]) {
      await patch(url, path, 0, videoBytes(1000));
      await stack.query(`UPDATE upload_sessions SET expires_at = now() - interval '1 s' WHERE id = $1`, [
        idOf(path),
      ]);
      expect(said(await patch(url, path, 1000, Buffer.alloc(10)))).toEqual([410, 'session_expired']);
      expect((await tus(url, 'HEAD', path)).status).toBe(410);
      await expectNothingLeft(stack, idOf(path));
      expect(await stack.query('SELECT status FROM upload_sessions WHERE id = $1', [idOf(path)])).toEqual([
        { status: 'expired' },
      ]);
    }
    expect(await eventsOf(stack, idOf(whole))).toEqual(['upload_started', 'session_expired']);
  });
});

describe('tus checksum', () => {
  const checksum = (algorithm: string, bytes: Uint8Array) => ({
    'upload-checksum': `${algorithm} ${createHash(algorithm).update(bytes).digest('base64')}`,
  });

  it.each(['sha256', 'sha1', 'md5'])(
    '"The Server MUST verify" %s before the bytes count, however long the body',
    async (algorithm) => {
      const file = videoBytes(10_000);
      const path = await open(url, file.length);
      const wrong = await patch(url, path, 0, file, checksum(algorithm, file.subarray(1)));
      expect(said(wrong)).toEqual([460, 'upload_checksum_mismatch']);
      await expectNothingLeft(stack, idOf(path));
      expect((await patch(url, path, 0, file, checksum(algorithm, file))).headers['upload-offset']).toBe(
        '10000',
      );
      expect((await assembled(stack, idOf(path))).equals(file)).toBe(true);
    },
  );

  it('"400 Bad Request if the checksum algorithm is not supported by the server"', async () => {
    const path = await open(url, 10);
    for (const header of ['crc32 AAAA', 'sha1', 'sha1 AAAA', 'sha1  x', '']) {
      const reply = await patch(url, path, 0, Buffer.alloc(10), { 'upload-checksum': header });
      expect(said(reply)).toEqual([400, 'validation_failed']);
    }
  });

  it('a checked body that is cut off counts for nothing', async () => {
    const file = videoBytes(9000);
    const path = await open(url, file.length);
    const headers = checksum('sha256', file);
    const socket = await stall(url, path, {
      offset: 0,
      length: 9000,
      bytes: file.subarray(0, 6000),
      headers,
    });
    await waitFor(async () => (await objects(stack, idOf(path))).length === 1, { what: 'the first piece' });
    socket.destroy();
    await waitFor(async () => (await objects(stack, idOf(path))).length === 0, { what: 'it to go' });
    expect(await offsetOf(url, path)).toBe(0);
  });
});

describe('tus concatenation', () => {
  const part = async (bytes: Buffer, sent = bytes.length) => {
    const path = await open(url, bytes.length, { 'upload-concat': 'partial' });
    await patch(url, path, 0, bytes.subarray(0, sent));
    return path;
  };
  const join = (paths: string[], headers: Record<string, string> = {}) =>
    tus(url, 'POST', '/files', {
      'upload-concat': `final;${paths.join(' ')}`,
      ...metadata({ filename: 'whole.mp4' }),
      ...headers,
    });

  it('"In order to create a new final upload the Client MUST add the Upload-Concat header … the values are concatenated in the order"', async () => {
    const file = videoBytes(20_000);
    const last = await part(file.subarray(13_000));
    const first = await part(file.subarray(0, 6000));
    const middle = await part(file.subarray(6000, 13_000));
    const before = await objects(stack);
    const given = { 'upload-concat': `final;${first} ${url}${middle} ${last}` };
    const reply = await join([], given);
    expect([reply.status, reply.headers['upload-offset']]).toEqual([201, '20000']);
    const id = idOf(String(reply.headers.location));
    expect((await assembled(stack, id)).equals(file)).toBe(true);
    expect((await objects(stack)).sort()).toEqual(before.sort());
    expect(await eventsOf(stack, id)).toEqual(['upload_started', 'upload_completed']);
    expect((await look(url, id)).body.data).toMatchObject({
      status: 'completed',
      size: 20_000,
      filename: 'whole.mp4',
    });
    const head = await tus(url, 'HEAD', String(reply.headers.location));
    expect(head.headers).toMatchObject({ ...given, 'upload-offset': '20000', 'upload-length': '20000' });
    // "The response to a HEAD request against a partial upload MUST include the Upload-Concat header"
    expect((await tus(url, 'HEAD', middle)).headers).toMatchObject({
      'upload-concat': 'partial',
      'upload-offset': '7000',
    });

    // Asked again, because its answer was lost, it is the same upload.
    expect((await join([], given)).headers.location).toBe(reply.headers.location);
    expect(said(await join([last, first]))).toEqual([409, 'session_closed']);
    expect(said(await patch(url, String(reply.headers.location), 20_000, Buffer.alloc(1)))).toEqual([
      403,
      'upload_is_final',
    ]);

    // Deleting a part of it takes nothing from it; deleting it takes the objects of its parts.
    expect((await tus(url, 'DELETE', middle)).status).toBe(204);
    expect((await assembled(stack, id)).equals(file)).toBe(true);
    expect((await tus(url, 'DELETE', String(reply.headers.location))).status).toBe(204);
    for (const path of [first, middle, last]) await expectNothingLeft(stack, idOf(path));
    await expectNothingLeft(stack, id);
  });

  it('a partial upload is neither a session of the other doors nor a job', async () => {
    const path = await part(Buffer.from('no video at all, but nobody looks yet'));
    expect((await look(url, idOf(path))).status).toBe(404);
    const [row] = await stack.query('SELECT job_id, asset_id, status FROM upload_sessions WHERE id = $1', [
      idOf(path),
    ]);
    expect(row).toEqual({ job_id: null, asset_id: null, status: 'active' });
    expect((await tus(url, 'DELETE', path)).status).toBe(204);
    await expectNothingLeft(stack, idOf(path));
    expect((await tus(url, 'HEAD', path)).status).toBe(410);
  });

  it('refuses parts that are not whole, not there, not parts, or named twice', async () => {
    const file = videoBytes(3000);
    const whole = await part(file);
    const cut = await part(file, 1000);
    const other = await open(url, 3000);
    expect(said(await join([whole, cut]))).toEqual([409, 'missing_chunks']);
    expect(said(await join([whole, `/files/${randomUUID()}`]))).toEqual([404, 'session_not_found']);
    expect(said(await join([whole, other]))).toEqual([404, 'session_not_found']);
    expect(said(await join([whole, whole]))).toEqual([400, 'validation_failed']);
    expect(said(await join([]))).toEqual([400, 'validation_failed']);
    expect(said(await join(['/etc/passwd']))).toEqual([400, 'validation_failed']);
    expect(said(await join([whole], { 'upload-length': '3000' }))).toEqual([400, 'validation_failed']);
    expect(said(await join([whole], { 'upload-concat': 'both' }))).toEqual([400, 'validation_failed']);
    expect((await join([whole])).status).toBe(201);
  });

  it('the whole is held to the maximum, to the promise and to being a video', async () => {
    const half = videoBytes(60_000);
    expect(said(await join([await part(half), await part(half)]))).toEqual([413, 'file_too_large']);
    const promised = metadata({ filename: 'a.mp4', file_hash: '0'.repeat(64) });
    const broken = await part(videoBytes(2000));
    expect(said(await join([broken], promised))).toEqual([422, 'file_hash_mismatch']);
    const text = await part(Buffer.from('<html>'.repeat(500)));
    expect(said(await join([text]))).toEqual([415, 'not_a_video']);
    await expectNothingLeft(stack, idOf(broken));
    await expectNothingLeft(stack, idOf(text));
  });

  it('a known file needs none of its parts', async () => {
    const file = videoBytes(4000);
    const promise = metadata({ filename: 'a.mp4', file_hash: sha256(file) });
    const first = await join([await part(file)], promise);
    const { id } = await jobOf(stack, idOf(String(first.headers.location)));
    await publish(stack, idOf(String(first.headers.location)));
    const again = await part(file);
    const reply = await join([again], promise);
    expect([reply.status, reply.headers['upload-offset']]).toEqual([201, '4000']);
    expect((await jobOf(stack, idOf(String(reply.headers.location)))).id).toBe(id);
    await expectNothingLeft(stack, idOf(again));
  });
});
