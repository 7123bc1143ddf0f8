import { MessageChannel } from 'node:worker_threads';

/** A buffer from the pool shares its memory, and what is smaller is not worth it. */
const LEAST_BYTES = 8 * 1024;

const { port1: nowhere, port2: gone } = new MessageChannel();
gone.close();

/**
 * Gives the memory of buffers back at once; they are empty then. Memory outside of the heap goes only when
 * the collector finds its owner: at a few hundred bytes of heap for 64 KiB of a body it sees no reason to
 * look, until V8 orders a whole collection for every 32 MiB that have passed through. What is sent to a port
 * whose other end is closed is transferred all the same (HTML, message ports), and freed; figures are in
 * docs/adr/0009. Slices are left alone: somebody may have the rest.
 */
export function release(buffers: readonly Buffer[]): void {
  const owned: ArrayBuffer[] = [];
  for (const { buffer, byteLength } of buffers) {
    if (byteLength >= LEAST_BYTES && byteLength === buffer.byteLength) owned.push(buffer as ArrayBuffer);
  }
  if (owned.length > 0) nowhere.postMessage(null, owned);
}
