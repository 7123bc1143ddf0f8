import { randomUUID } from 'node:crypto';
import { type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { SluiceError } from '#contracts';
import { toProblem } from '#http';
import { incomplete } from './body.js';
import { tooSlow } from './pace.js';

const GONE = new Set(['ECONNRESET', 'EPIPE']);

/**
 * A client that closes its side in the middle of a body is an error of the connection to Node's
 * server, and no handler may answer it; here it gets its problem details all the same.
 */
export function answerCutOffBodies(server: Server): void {
  server.removeAllListeners('clientError');
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // Bytes behind the last request of a connection: its answer is on the way, and then it is closed.
    if (error.code === 'HPE_CLOSED_CONNECTION') return;
    if (socket.destroyed || !socket.writable || GONE.has(error.code ?? '')) {
      socket.destroy();
      return;
    }
    socket.end(asMessage(problemOf(error)));
  });
  // Node's own answer to an expectation that nobody knows has no body.
  server.on('checkExpectation', (request, response) => {
    request.resume();
    response.socket?.end(asMessage(unreadable()));
  });
}

function problemOf(error: NodeJS.ErrnoException): SluiceError {
  if (error.code === 'HPE_INVALID_EOF_STATE') return incomplete();
  return error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? tooSlow(error) : unreadable();
}

const unreadable = () => new SluiceError('bad_request', 'The request could not be read; check its syntax.');

function asMessage(problem: SluiceError): string {
  const body = JSON.stringify(toProblem(problem, randomUUID()));
  return (
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nContent-Type: application/problem+json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`
  );
}
