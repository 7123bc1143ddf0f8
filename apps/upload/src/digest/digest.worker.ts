import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { SluiceError } from '#contracts';
import { openStore } from '#storage';
import type { DigestAnswer, DigestOrder, DigestWorkerData } from './protocol.js';

const { storage } = workerData as DigestWorkerData;
const store = openStore(storage);
let hash = createHash('sha256');

/** Orders come one at a time: the next is sent when this one is answered. */
async function obey(order: DigestOrder): Promise<DigestAnswer> {
  if (order.keys === null) {
    const sha256 = hash.digest('hex');
    hash = createHash('sha256');
    return { sha256 };
  }
  for (const key of order.keys) {
    for await (const bytes of await store.get(key)) hash.update(bytes as Buffer);
  }
  return { read: order.keys.length };
}

parentPort?.on('message', (order: DigestOrder) => {
  obey(order)
    .catch((error: unknown): DigestAnswer => {
      const known = error instanceof SluiceError;
      return { code: known ? error.code : 'internal', message: (error as Error).message };
    })
    .then((answer) => parentPort?.postMessage(answer));
});
