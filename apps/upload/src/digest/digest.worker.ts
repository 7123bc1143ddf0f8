import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { EDGE_BYTES, SluiceError } from '#contracts';
import { openStore } from '#storage';
import type { DigestAnswer, DigestOrder, DigestWorkerData, Numbered } from './protocol.js';

const { storage } = workerData as DigestWorkerData;
const store = await openStore(storage);

interface File {
  /** Bytes that `whole` has seen. */
  position: number;
  whole: ReturnType<typeof createHash>;
  /** Of the first EDGE_BYTES. */
  head: ReturnType<typeof createHash>;
}

/** The service bounds them and says which to drop. */
const files = new Map<number, File>();

/** Orders for one file come one at a time, those for several files run side by side. */
async function obey(order: DigestOrder): Promise<DigestAnswer> {
  if (order.do === 'drop') {
    files.delete(order.file);
    return { position: 0 };
  }
  if (order.do === 'read' && order.position === 0) {
    files.set(order.file, { position: 0, whole: createHash('sha256'), head: createHash('sha256') });
  }
  const file = files.get(order.file);
  if (file?.position !== order.position) throw new Error('another position');
  if (order.do === 'read') {
    for (const key of order.keys) await read(file, key);
    return { position: file.position };
  }
  const edges = file.head.copy();
  for (const { key, start, end } of order.tail ?? []) {
    await store.each(key, (bytes) => edges.update(bytes), { start, end });
  }
  return {
    sha256: file.whole.copy().digest('hex'),
    edges: order.tail === null ? null : edges.digest('hex'),
  };
}

async function read(file: File, key: string): Promise<void> {
  await store.each(key, (bytes) => {
    file.whole.update(bytes);
    if (file.position < EDGE_BYTES) file.head.update(bytes.subarray(0, EDGE_BYTES - file.position));
    file.position += bytes.length;
  });
}

parentPort?.on('message', ({ number, content }: Numbered<DigestOrder>) => {
  obey(content)
    .catch((error: unknown): DigestAnswer => {
      // Half of an object may have been read: this hash is good for nothing any more.
      files.delete(content.file);
      const known = error instanceof SluiceError;
      return { code: known ? error.code : 'internal', message: (error as Error).message };
    })
    .then((answer) => parentPort?.postMessage({ number, content: answer } satisfies Numbered<DigestAnswer>));
});
