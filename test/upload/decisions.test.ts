import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { bytesOf, discard } from '../../apps/upload/src/chunks/body.js';
import type { PaceLimits } from '../../apps/upload/src/chunks/pace.js';
import { PROVISIONAL_OFFSET, placeByIndex } from '../../apps/upload/src/chunks/placement.js';
import { sniff } from '../../apps/upload/src/files/sniff.js';
import { Pieces } from '../../apps/upload/src/multipart/pieces.js';
import { cutRanges, inOrder } from '../../libs/client/src/ranges.js';

describe('sniffing (S3-05)', () => {
  const box = (type: string, size = 32) => {
    const bytes = Buffer.alloc(64);
    bytes.writeUInt32BE(size, 0);
    bytes.write(type, 4, 'latin1');
    return bytes;
  };
  const packets = (first: number, size: number, count: number) => {
    const bytes = Buffer.alloc(first + size * count);
    for (let at = first; at < bytes.length; at += size) bytes[at] = 0x47;
    return bytes;
  };
  const padded = (start: string | number[]) =>
    Buffer.concat([Buffer.from(start as string), Buffer.alloc(40)]);

  it.each([
    ...['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip'].map((type): [string, Buffer] => [type, box(type)]),
    ['a 64-bit mdat', box('mdat', 1)],
    ['Matroska', padded([0x1a, 0x45, 0xdf, 0xa3])],
    ['AVI', padded('RIFF\x10\x00\x00\x00AVI ')],
    ['Ogg', padded('OggS')],
    ['MPEG-TS', packets(0, 188, 4)],
    ['M2TS', packets(4, 192, 4)],
    ['two packets of MPEG-TS', packets(0, 188, 2)],
  ] as [string, Buffer][])('knows %s', (_name, head) => {
    expect(sniff(head)).toBe('video');
  });

  it.each([
    ['a text with a box name in it', Buffer.from('the free text of an afternoon in May')],
    ['a playlist', Buffer.from('#EXTM3U\n#EXT-X-TARGETDURATION:10\nfile:///etc/passwd\n')],
    ['a concat script', Buffer.from('ffconcat version 1.0\nfile other.mp4\n')],
    ['WAV', padded('RIFF\x10\x00\x00\x00WAVE')],
    ['PNG', padded([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])],
    ['a letter G', Buffer.concat([Buffer.from('G'), Buffer.alloc(500, 'x')])],
    ['zeros', Buffer.alloc(1024)],
  ] as [string, Buffer][])('refuses %s', (_name, head) => {
    expect(sniff(head)).toBe('other');
  });

  it('waits where a few bytes cannot say', () => {
    expect(sniff(Buffer.alloc(11))).toBe('short');
    expect(sniff(packets(0, 188, 1))).toBe('short');
  });
});

describe('places by index (S3-01)', () => {
  const nothing = { fileSize: null, totalChunks: null, chunkSize: null };
  const place = (
    known: object,
    chunk: { index: number; total?: number; size: number },
    last: { size: number } | null = null,
  ) => placeByIndex({ ...nothing, ...known }, { total: null, ...chunk }, last, 10_000);

  it('an inner chunk says how large all are', () => {
    expect(place({}, { index: 2, total: 4, size: 100 })).toMatchObject({
      offset: 200,
      chunkSize: 100,
      fileSize: null,
    });
  });
  it('the last one alone waits for its place, and goes there with the next', () => {
    expect(place({}, { index: 3, total: 4, size: 50 })).toMatchObject({
      offset: PROVISIONAL_OFFSET,
      fileSize: null,
    });
    expect(place({ totalChunks: 4 }, { index: 1, size: 100 }, { size: 50 })).toMatchObject({
      moveLastTo: 300,
      fileSize: 350,
    });
  });
  it('the last one after another knows the size of the file', () => {
    expect(place({ totalChunks: 4, chunkSize: 100 }, { index: 3, size: 50 })).toMatchObject({
      offset: 300,
      fileSize: 350,
    });
  });
  it('a single chunk is the file', () => {
    expect(place({}, { index: 0, total: 1, size: 50 })).toMatchObject({ offset: 0, fileSize: 50 });
  });
  it.each([
    [{ totalChunks: 4, chunkSize: 100 }, { index: 1, size: 99 }, null, 'chunk_length_mismatch'],
    [{ totalChunks: 4, chunkSize: 100 }, { index: 3, size: 101 }, null, 'chunk_length_mismatch'],
    [{ totalChunks: 4 }, { index: 1, size: 40 }, { size: 50 }, 'chunk_length_mismatch'],
    [{ fileSize: 1000 }, { index: 1, total: 4, size: 100 }, null, 'chunk_length_mismatch'],
    [{ totalChunks: 4 }, { index: 4, size: 100 }, null, 'chunk_out_of_range'],
    [{ totalChunks: 4 }, { index: 1, total: 5, size: 100 }, null, 'validation_failed'],
    [{}, { index: 0, size: 100 }, null, 'validation_failed'],
    [{}, { index: 0, total: 200, size: 100 }, null, 'file_too_large'],
  ])('refuses %j %j', (known, chunk, last, code) => {
    expect(() => place(known, chunk, last)).toThrow(expect.objectContaining({ code }));
  });
});

describe('streams', () => {
  it('are taken in pieces of exact size, whatever the buffers', async () => {
    const parts = ['abc', 'd', '', 'efghij', 'k'].map((part) => Buffer.from(part));
    const pieces = new Pieces(
      (async function* () {
        yield* parts;
      })(),
    );
    const taken: string[] = [];
    while (await pieces.more()) {
      let piece = '';
      for await (const part of pieces.take(4)) piece += part;
      taken.push(piece);
    }
    expect(taken).toEqual(['abcd', 'efgh', 'ijk']);
  });

  /** A request is such a stream; nothing else of it is used. */
  const read = async (stream: Readable, limits: PaceLimits) => {
    let bytes = 0;
    for await (const part of bytesOf(stream as Parameters<typeof bytesOf>[0], limits)) bytes += part.length;
    return bytes;
  };
  const trickle = (parts: number, size: number, everyMs: number) =>
    Readable.from(
      (async function* () {
        for (let part = 0; part < parts; part++) {
          await sleep(everyMs);
          yield Buffer.alloc(size);
        }
      })(),
      { objectMode: false },
    );

  it('S3-13 of a client that sends nothing more are ended, and its request can still be answered', async () => {
    const silent = new Readable({ read: () => undefined });
    silent.push('begin');
    await expect(read(silent, { stallMs: 20, minRate: 0 })).rejects.toMatchObject({
      code: 'upload_too_slow',
    });
    expect(silent.destroyed).toBe(false);
  });

  it('S3-13 of a client that trickles are ended; the same is taken where any rate will do', async () => {
    const slow = { stallMs: 100, minRate: 100_000 };
    await expect(read(trickle(200, 10, 5), slow)).rejects.toMatchObject({ code: 'upload_too_slow' });
    expect(await read(trickle(40, 10, 5), { ...slow, minRate: 0 })).toBe(400);
    expect(await read(trickle(40, 100_000, 5), slow)).toBe(4_000_000);
  });

  it('stay with the request when nobody reads them, so that it can be emptied and answered', async () => {
    const known = Readable.from(
      Array.from({ length: 20 }, () => Buffer.alloc(65_536)),
      { objectMode: false },
    );
    const request = known as Parameters<typeof bytesOf>[0];
    bytesOf(request, { stallMs: 1000, minRate: 0 });
    await discard(request, 10_000_000);
    expect(known.readableEnded).toBe(true);
  });

  it('are given back by a reader that has stopped in the middle of them', async () => {
    const refused = Readable.from(
      Array.from({ length: 20 }, () => Buffer.alloc(65_536)),
      { objectMode: false },
    );
    const request = refused as Parameters<typeof bytesOf>[0];
    const reader = bytesOf(request, { stallMs: 1000, minRate: 0 });
    await once(
      reader.once('data', () => reader.pause()),
      'pause',
    );
    await discard(request, 10_000_000);
    expect([refused.readableEnded, reader.destroyed]).toEqual([true, true]);
  });

  it('are not hurried by a reader that is slow', async () => {
    let bytes = 0;
    // The second part and the end have come while the reader is busy with the first.
    const source = Readable.from([Buffer.alloc(65_536), Buffer.alloc(10)], { objectMode: false });
    for await (const part of bytesOf(source as Parameters<typeof bytesOf>[0], {
      stallMs: 20,
      minRate: 1e9,
    })) {
      await sleep(60);
      bytes += part.length;
    }
    expect(bytes).toBe(65_546);
  });
});

describe('what the client sends', () => {
  it('S3-06 is cut on the grid of the file, also when it resumes in the middle', () => {
    expect([...cutRanges([[0, 25]], 10)]).toEqual([
      [0, 10],
      [10, 20],
      [20, 25],
    ]);
    expect([
      ...cutRanges(
        [
          [5, 12],
          [18, 25],
        ],
        10,
      ),
    ]).toEqual([
      [5, 10],
      [10, 12],
      [18, 20],
      [20, 25],
    ]);
  });
  it('begins with both ends of the file', () => {
    const ranges = [...cutRanges([[0, 50]], 10)];
    expect(inOrder(ranges, 'ends-first').map(([start]) => start)).toEqual([0, 40, 10, 20, 30]);
    expect(inOrder(ranges, 'sequential')).toEqual(ranges);
    expect(inOrder(ranges, 'shuffled').toSorted(([a], [b]) => a - b)).toEqual(ranges);
  });
});
