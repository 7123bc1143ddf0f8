import type { Readable } from 'node:stream';

/**
 * Gives every part of a stream to `take` until it ends, and stops the flow for as long as what `take`
 * returned is pending. By events: an asynchronous iterator costs three promises for each 64 KiB, as much
 * as the copy to the disk. Rejects with the error of the stream, of `take`, or the signal's reason.
 */
export function drain(
  body: Readable,
  take: (bytes: Buffer) => Promise<unknown> | null,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error: unknown, isEnd = false) => {
      body.off('data', onData).off('end', onEnd).off('close', onClose).pause();
      // An error that comes later is nobody's, and must not end the process.
      body.off('error', settle).on('error', () => undefined);
      signal?.removeEventListener('abort', onAbort);
      if (isEnd) resolve();
      else reject(error);
    };
    const onData = (bytes: Buffer) => {
      try {
        const pending = take(bytes);
        if (!pending) return;
        body.pause();
        pending.then(() => body.resume(), settle);
      } catch (error) {
        settle(error);
      }
    };
    const onEnd = () => settle(null, true);
    const onClose = () => settle(new Error('the stream was closed before its end'));
    const onAbort = () => settle(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (body.errored) return settle(body.errored);
    if (body.destroyed) return onClose();
    body.on('error', settle).on('close', onClose).on('end', onEnd).on('data', onData).resume();
  });
}
