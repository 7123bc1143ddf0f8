import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorCode, SluiceError } from '#contracts';
import { toProblem } from './problem.filter.js';

/** Of one request's headers; a token and some cookies are a quarter of it. */
export const MAX_HEADER_BYTES = 16 * 1024;

const BY_CODE: Record<string, [ErrorCode, string]> = {
  HPE_HEADER_OVERFLOW: [
    'headers_too_large',
    `The headers of a request may have ${MAX_HEADER_BYTES} bytes at most; send fewer cookies.`,
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [
    'request_timeout',
    'The headers did not come to their end in time; send them again.',
  ],
};

/** What Node refuses before there is a request: the answer is written by hand, and the connection ends. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error);
    return;
  }
  const [code, message] = BY_CODE[error.code ?? ''] ?? [
    'bad_request',
    'This is no HTTP request that could be read; check its syntax.',
  ];
  const problem = new SluiceError(code, message);
  const { request_id: _none, ...told } = toProblem(problem, '');
  const body = JSON.stringify(told);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
