import { afterAll, beforeAll, expect, it } from 'vitest';
import { follow, type LiveEvent } from '#client';
import { waitFor } from '#testing';
import { type GatewayAlone, startGatewayAlone } from './rows.js';

let gateway: GatewayAlone;
beforeAll(async () => {
  gateway = await startGatewayAlone();
});
afterAll(() => gateway?.stop());

const messagesOf = (events: LiveEvent[]) =>
  events.flatMap((event) => (event.kind === 'fact' && event.fact.durable ? [event.fact.message] : []));

it('the client goes on where it was when its gateway dies, and ends when it is told to', async () => {
  const upload = await gateway.insertUpload();
  const tell = async (message: string) =>
    gateway.publish(
      await gateway.record(upload.jobId, { type: 'processing_progress', durable: true, message }),
    );
  const ending = new AbortController();
  const events: LiveEvent[] = [];
  const connection: boolean[] = [];
  const following = (async () => {
    const options = {
      gatewayUrl: gateway.url,
      jobId: upload.jobId,
      signal: ending.signal,
      onConnection: (up: boolean) => void connection.push(up),
    };
    for await (const event of follow(options)) events.push(event);
  })();
  await waitFor(() => events.some(({ kind }) => kind === 'snapshot'), { what: 'the snapshot' });
  await tell('before');
  await waitFor(() => messagesOf(events).length === 1, { what: 'the first fact' });
  await gateway.stack.kill('gateway');
  await tell('while it was away');
  await gateway.stack.restart('gateway');
  await tell('after');
  await waitFor(() => messagesOf(events).length >= 3, { what: 'all facts' });
  expect(messagesOf(events)).toEqual(['before', 'while it was away', 'after']);
  expect(connection.slice(0, 2)).toEqual([true, false]);
  expect(connection.at(-1)).toBe(true);
  ending.abort();
  await expect(following).rejects.toMatchObject({ code: 'aborted' });
});

it('the client throws what the gateway refuses', async () => {
  const events = follow({ gatewayUrl: gateway.url, jobId: 'x' });
  await expect(events.next()).rejects.toMatchObject({ code: 'malformed_id', status: 400 });
});

it('the client comes back from a line that says nothing for as long as it was told to wait', async () => {
  const upload = await gateway.insertUpload();
  const connection: boolean[] = [];
  const ending = new AbortController();
  const options = {
    gatewayUrl: gateway.url,
    jobId: upload.jobId,
    silenceMs: 2000,
    signal: ending.signal,
    onConnection: (up: boolean) => {
      connection.push(up);
      if (connection.length === 3) ending.abort();
    },
  };
  const following = async () => {
    for await (const event of follow(options)) expect(event.kind).toBe('snapshot');
  };
  await expect(following()).rejects.toMatchObject({ code: 'aborted' });
  expect(connection).toEqual([true, false, true]);
});
