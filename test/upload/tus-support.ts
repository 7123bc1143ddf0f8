import { type IncomingHttpHeaders, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { expect } from 'vitest';

export interface TusReply {
  status: number;
  headers: IncomingHttpHeaders;
  /** The stable code of a refusal. */
  code: string | undefined;
}

export type Headers = Record<string, string>;

export const VERSION: Headers = { 'tus-resumable': '1.0.0' };
export const STREAM: Headers = { 'content-type': 'application/offset+octet-stream' };

/** One request as it is, nothing added but the protocol's version. */
export function tus(
  url: string,
  method: string,
  path: string,
  headers: Headers = {},
  body: Uint8Array | null = null,
): Promise<TusReply> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${url}${path}`,
      { method, headers: { ...VERSION, ...(body ? { 'content-length': body.length } : {}), ...headers } },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => {
          const text = Buffer.concat(parts).toString();
          const code = text === '' ? undefined : (JSON.parse(text) as { code: string }).code;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, code });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body ?? undefined);
  });
}

export const metadata = (pairs: Record<string, string>): Headers => ({
  'upload-metadata': Object.entries(pairs)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(','),
});

/** Creates an upload and answers with its path. */
export async function open(url: string, length: number, headers: Headers = {}): Promise<string> {
  const named = metadata({ filename: 'clip.mp4', filetype: 'video/mp4' });
  const reply = await tus(url, 'POST', '/files', { 'upload-length': String(length), ...named, ...headers });
  expect([reply.status, reply.code]).toEqual([201, undefined]);
  return String(reply.headers.location);
}

export const patch = (url: string, path: string, offset: number, bytes: Uint8Array, headers: Headers = {}) =>
  tus(url, 'PATCH', path, { ...STREAM, 'upload-offset': String(offset), ...headers }, bytes);

export async function offsetOf(url: string, path: string): Promise<number> {
  const reply = await tus(url, 'HEAD', path);
  expect(reply.status).toBe(200);
  return Number(reply.headers['upload-offset']);
}

/** The id of the session behind an upload. */
export const idOf = (path: string) => path.split('/').at(-1) ?? '';

/** A PATCH that announces `length` bytes, sends these, and then neither ends nor goes on. */
export function stall(
  url: string,
  path: string,
  {
    offset,
    length,
    bytes,
    headers = {},
  }: { offset: number; length: number; bytes: Uint8Array; headers?: Headers },
): Promise<Socket> {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  const lines = Object.entries({
    host,
    ...VERSION,
    ...STREAM,
    'upload-offset': String(offset),
    'content-length': String(length),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return new Promise((resolve) => {
    socket.write(`PATCH ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
    socket.write(bytes, () => resolve(socket));
  });
}

/** All that a connection says until it ends. */
export function answerOn(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (part) => {
      text += part.toString();
    });
    socket.once('close', () => resolve(text));
  });
}
