import { randomUUID } from 'node:crypto';
import { type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { SluiceError } from '#contracts';
import { toProblem } from '#http';
import { incomplete } from './body.js';
import { tooSlow } from './pace.js';

const GONE = new Set(['ECONNRESET', 'EPIPE', 'HPE_CLOSED_CONNECTION']);

/**
 * A client that closes its side in the middle of a body is an error of the connection to Node's
 * server, and no handler may answer it; here it gets its problem details all the same.
 */
export function answerCutOffBodies(server: Server): void {
  server.removeAllListeners('clientError');
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (socket.destroyed || !socket.writable || GONE.has(error.code ?? '')) {
      socket.destroy();
      return;
    }
    const cutOff = error.code === 'HPE_INVALID_EOF_STATE';
    const problem = cutOff
      ? incomplete()
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? tooSlow(error)
        : new SluiceError('bad_request', 'The request could not be read; check its syntax.');
    const body = JSON.stringify(toProblem(problem, randomUUID()));
    socket.end(
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nContent-Type: application/problem+json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  });
}
