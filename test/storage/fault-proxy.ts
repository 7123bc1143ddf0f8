import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What happens to the next request that it is meant for, once. */
export interface Fault {
  /** `PUT /x?partNumber`: the method, and what the address must contain. */
  on: string;
  /** `refuse`: the store never sees it. `cut`: it is broken off after some bytes. `swallow`: the store does it, its answer is lost or replaced. `hold`: nothing is read before `release`. `pass`: nothing. */
  do: 'pass' | 'refuse' | 'cut' | 'swallow' | 'hold' | 'cut-answer';
  /** Instead of the store's answer; a reset where there is none. */
  answer?: { status: number; code: string };
  /** How many requests; 1 where nothing is said. */
  times?: number;
}

export interface FaultProxy {
  url: string;
  faults: Fault[];
  /** `METHOD address` of every request so far. */
  seen: string[];
  /** Lets go of what a `hold` holds. */
  release(): void;
  close(): Promise<void>;
}

/** Every request from now on, until the faults are taken away. */
export const outage = (answer?: Fault['answer']): Fault[] =>
  ['HEAD', 'GET', 'PUT', 'POST', 'DELETE'].map((method) => ({
    on: `${method} /`,
    do: 'refuse',
    times: Number.POSITIVE_INFINITY,
    ...(answer ? { answer } : {}),
  }));

const CUT_AFTER = 100_000;

/** Stands before a real store and spoils what it is told to. The Host header goes through: it is signed. */
export async function faultProxy(endpoint: string): Promise<FaultProxy> {
  const faults: Fault[] = [];
  const seen: string[] = [];
  let release = () => undefined as unknown;
  const held = new Promise((resolve) => {
    release = () => resolve(undefined);
  });
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse, expects: boolean) => {
    const name = `${incoming.method} ${incoming.url}`;
    seen.push(name);
    const fault = take(faults, name);
    incoming.on('error', () => undefined);
    if (fault?.do === 'refuse') return refuse(incoming, outgoing, fault, expects);
    if (expects) outgoing.writeContinue();
    if (fault?.do === 'hold') await held;
    return pass(endpoint, incoming, outgoing, fault);
  };
  const server = createServer((incoming, outgoing) => void handle(incoming, outgoing, false));
  server.on('checkContinue', (incoming, outgoing) => void handle(incoming, outgoing, true));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults,
    seen,
    release,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function take(faults: Fault[], name: string): Fault | undefined {
  const [method, url = ''] = name.split(' ');
  const at = faults.findIndex(({ on }) => {
    const [wanted, part = ''] = on.split(' ');
    return wanted === method && url.includes(part);
  });
  const fault = faults[at];
  if (!fault) return undefined;
  fault.times = (fault.times ?? 1) - 1;
  if (fault.times === 0) faults.splice(at, 1);
  return fault;
}

/** A client that asked first has sent nothing; another's body is read to its end. */
async function refuse(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { answer }: Fault,
  expects: boolean,
): Promise<void> {
  if (!expects) await buffer(incoming).catch(() => undefined);
  say(outgoing, answer);
}

function say(outgoing: ServerResponse, answer: Fault['answer']): void {
  if (!answer) {
    outgoing.socket?.resetAndDestroy();
    return;
  }
  outgoing.writeHead(answer.status, { 'content-type': 'application/xml' });
  outgoing.end(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${answer.code}</Code><Message>as told</Message></Error>`,
  );
}

function pass(
  endpoint: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  fault: Fault | undefined,
): void {
  const { hostname, port } = new URL(endpoint);
  const { expect: _, ...headers } = incoming.headers;
  const onward = request({ hostname, port, method: incoming.method, path: incoming.url, headers });
  onward.on('error', () => {
    // Swift sends a body after the answer to a HEAD of what is not there: no part of it.
    if (incoming.method !== 'HEAD' || !outgoing.headersSent) outgoing.socket?.destroy();
  });
  incoming.once('close', () => {
    if (!incoming.complete) onward.destroy();
  });
  onward.on('response', (answer) => {
    if (fault?.do === 'swallow') {
      answer.resume().once('end', () => say(outgoing, fault.answer));
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    if (fault?.do !== 'cut-answer') {
      answer.pipe(outgoing);
      return;
    }
    answer.once('data', (part: Buffer) => {
      outgoing.write(part.subarray(0, CUT_AFTER), () => outgoing.socket?.destroy());
      answer.destroy();
    });
  });
  if (fault?.do !== 'cut') {
    incoming.pipe(onward);
    return;
  }
  let left = CUT_AFTER;
  incoming.on('data', (part: Buffer) => {
    onward.write(part.subarray(0, left));
    left -= part.length;
    if (left > 0) return;
    onward.destroy();
    incoming.socket.resetAndDestroy();
  });
}
