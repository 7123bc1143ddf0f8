import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SluiceError } from '#contracts';
import { SourceServer } from '../../apps/transcode/src/source/source-server.js';

const SIZE = 4 * 1024 * 1024;
const PATIENCE = { milliseconds: 60_000 };

describe('the server that ffmpeg reads a source from', () => {
  const server = new SourceServer();
  beforeAll(() => server.start());
  afterAll(() => server.stop());

  /** Gives a little and then throws. */
  const breaking = (error: Error) => ({
    size: SIZE,
    stream: () =>
      Readable.from(
        (async function* () {
          yield Buffer.alloc(1024);
          throw error;
        })(),
        { objectMode: false },
      ),
  });

  const read = async (error: Error) => {
    const published = server.publish(breaking(error), PATIENCE);
    const answer = await fetch(published.url);
    await expect(answer.arrayBuffer()).rejects.toThrow();
    published.close();
    return published.failure();
  };

  it('blames no video for a database that is away in the middle of a read', async () => {
    expect(await read(new Error('Connection terminated unexpectedly'))).toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
  });

  it('keeps the reason of a store that is away, and takes a chunk that is gone for final', async () => {
    expect(await read(new SluiceError('storage_full', 'No room.'))).toMatchObject({ code: 'storage_full' });
    expect(await read(new SluiceError('object_not_found', 'Gone.'))).toBeNull();
  });

  it('takes a reader that hangs up, as ffmpeg does to seek, for no failure', async () => {
    const opened: Readable[] = [];
    const endless = {
      size: SIZE,
      stream: () => {
        const stream = new Readable({ read() {} });
        stream.push(Buffer.alloc(1024));
        opened.push(stream);
        return stream;
      },
    };
    const published = server.publish(endless, PATIENCE);
    const abort = new AbortController();
    const answer = await fetch(published.url, { signal: abort.signal });
    await answer.body?.getReader().read();
    const closed = new Promise((resolve) => opened[0]?.once('close', resolve));
    abort.abort();
    await closed;
    expect(published.failure()).toBeNull();
    published.close();
  });
});
