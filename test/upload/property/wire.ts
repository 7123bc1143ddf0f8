import { Agent, request } from 'node:http';
import { connect } from 'node:net';

/** What came back: an answer, or nothing because the connection ended. */
export interface Reply {
  /** 0: no answer. */
  status: number;
  code: string;
  body: Record<string, unknown>;
}

export interface Outgoing {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: Buffer;
  /** Bytes of the body after which the connection is destroyed. */
  cutAfter?: number;
  /** A Content-Length that is not the body's; where it is more, the connection is half-closed after the body. */
  announce?: number;
}

/** No request of these tests may take longer, whatever the machine is doing. */
const GIVE_UP_MS = 25_000;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const NOTHING: Reply = { status: 0, code: 'no answer', body: {} };

export function send(url: string, outgoing: Outgoing): Promise<Reply> {
  return outgoing.announce === undefined ? ordinary(url, outgoing) : misannounced(url, outgoing);
}

function ordinary(url: string, { method, path, headers, body, cutAfter }: Outgoing): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = {
      method,
      headers: { ...headers, 'content-length': String(body?.length ?? 0) },
      // A connection that is going to be destroyed is nobody else's.
      agent: cutAfter === undefined ? agent : false,
      timeout: GIVE_UP_MS,
    };
    const outgoing = request(new URL(path, url), options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', () => resolve(NOTHING));
      response.on('end', () => resolve(toReply(response.statusCode ?? 0, Buffer.concat(parts).toString())));
    });
    outgoing.on('error', () => resolve(NOTHING));
    outgoing.on('timeout', () => {
      outgoing.destroy();
      reject(new Error(`${method} ${path} was not answered in ${GIVE_UP_MS} ms`));
    });
    if (cutAfter === undefined) outgoing.end(body);
    else outgoing.write(body!.subarray(0, cutAfter), () => setImmediate(() => outgoing.destroy()));
  });
}

async function misannounced(
  url: string,
  { method, path, headers, body, announce }: Outgoing,
): Promise<Reply> {
  const { host } = new URL(url);
  const length = String(announce);
  const lines = Object.entries({ host, connection: 'close', ...headers, 'content-length': length });
  const head = `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  const bytes = body ?? Buffer.alloc(0);
  const text = await exchange(url, Buffer.concat([Buffer.from(head), bytes]), announce! > bytes.length);
  const match = /^HTTP\/1\.1 (\d{3}) [^\r]*\r\n[\s\S]*?\r\n\r\n(\{.*?\})(?=HTTP\/1\.1|$)/.exec(text);
  return match ? toReply(Number(match[1]), match[2]!) : NOTHING;
}

/** Sends these bytes as they are and answers with all that comes back until the other side closes. */
export function exchange(url: string, bytes: Buffer, closeOurs = false): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    let text = '';
    socket.setTimeout(GIVE_UP_MS, () => {
      socket.destroy();
      reject(new Error(`no end after ${GIVE_UP_MS} ms of: ${String(bytes).slice(0, 200)}\n${text}`));
    });
    socket.on('data', (part) => {
      text += part;
    });
    socket.on('error', () => resolve(text));
    socket.on('close', () => resolve(text));
    socket.on('end', () => socket.end());
    socket.write(bytes);
    if (closeOurs) socket.end();
  });
}

function toReply(status: number, text: string): Reply {
  try {
    const body = JSON.parse(text) as Record<string, unknown>;
    return { status, code: String(body.code ?? ''), body };
  } catch {
    return { status, code: `not JSON: ${text.slice(0, 80)}`, body: {} };
  }
}

export const json = (body: unknown) => ({
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify(body)),
});

/** A form as a browser writes it, the file last. */
export function form(
  filename: string,
  fields: Record<string, string>,
  file: Buffer,
): { headers: Record<string, string>; body: Buffer } {
  const boundary = 'x-boundary-of-the-property-test';
  const part = (disposition: string) => `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n`;
  const text = Object.entries(fields)
    .map(([name, value]) => `${part(`name="${name}"`)}\r\n${value}\r\n`)
    .join('');
  const opening = `${part(`name="file"; filename="${filename}"`)}Content-Type: video/mp4\r\n\r\n`;
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([Buffer.from(text + opening), file, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
}
