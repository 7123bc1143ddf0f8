/** Asks no more often than this, however many scrapers there are; all of them hear the same, a failure too. */
export function seldom<T>(everyMs: number, read: () => Promise<T>): () => Promise<T> {
  let at = Number.NEGATIVE_INFINITY;
  let last: Promise<T> | undefined;
  return () => {
    if (!last || performance.now() - at > everyMs) {
      at = performance.now();
      last = read();
    }
    return last;
  };
}
