import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { send } from '#storage';
import { waitFor } from '#testing';

const PART_BYTES = 64 * 1024;

describe('a body that is sent', () => {
  let body: Readable;
  let sending: Promise<unknown> = Promise.resolve();
  const server = createServer((_, response: ServerResponse) => {
    sending = send(body, response).catch((error: unknown) => {
      response.destroy();
      return error;
    });
  });
  const ask = (signal?: AbortSignal) =>
    fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, signal ? { signal } : {});
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  afterAll(() => void server.close());

  it('arrives whole, and its buffers are empty then', async () => {
    // More than the buffers of both sockets take.
    const parts = Array.from({ length: 256 }, () => {
      const part = Buffer.allocUnsafeSlow(PART_BYTES);
      randomBytes(PART_BYTES).copy(part);
      return part;
    });
    const whole = Buffer.concat(parts);
    // One after the other, as a disk gives them: what is there at once is joined into a buffer that nobody gave us.
    body = Readable.from(
      (async function* () {
        for (const part of parts) yield part;
      })(),
      { objectMode: false },
    );
    const got = Buffer.from(await (await ask()).arrayBuffer());
    expect(got.equals(whole)).toBe(true);
    expect(await sending).toBeUndefined();
    await waitFor(() => parts.every((part) => part.length === 0), { what: 'the last write to be over' });
  });

  it('leaves what only shares its memory alone', async () => {
    const shared = Buffer.allocUnsafeSlow(2 * PART_BYTES).fill('x');
    body = Readable.from([shared.subarray(0, PART_BYTES)], { objectMode: false });
    expect((await (await ask()).arrayBuffer()).byteLength).toBe(PART_BYTES);
    expect(shared.toString()).toBe('x'.repeat(2 * PART_BYTES));
  });

  it('is closed when its reader hangs up', async () => {
    body = new Readable({ read() {} });
    body.push(Buffer.alloc(1024));
    const abort = new AbortController();
    const answer = await ask(abort.signal);
    await answer.body?.getReader().read();
    const closed = once(body, 'close');
    abort.abort();
    await closed;
    expect(await sending).toBeInstanceOf(Error);
  });

  it('that fails is told to whoever sends it', async () => {
    body = Readable.from(
      (async function* () {
        yield Buffer.alloc(1024);
        throw new Error('the store is away');
      })(),
      { objectMode: false },
    );
    await expect(ask().then((answer) => answer.arrayBuffer())).rejects.toThrow();
    expect(await sending).toMatchObject({ message: 'the store is away' });
  });
});
