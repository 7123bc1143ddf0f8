import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { release } from './release.js';

/**
 * Writes a body that nobody else holds, and gives the memory of each part back once the system has taken it: its
 * buffers are empty afterwards (release.ts). Rejects as the body does, with the response still open, and with what a
 * destroyed body says when whoever reads has hung up.
 */
export async function send(body: Readable, response: ServerResponse): Promise<void> {
  response.once('close', () => body.destroy());
  if (response.destroyed) body.destroy();
  for await (const part of body as AsyncIterable<Buffer>) {
    const hasRoom = response.write(part, () => release([part]));
    if (!hasRoom) await drained(response);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      response.off('drain', go).off('close', go);
      resolve();
    };
    response.on('drain', go).on('close', go);
    if (response.destroyed || !response.writableNeedDrain) go();
  });
}
