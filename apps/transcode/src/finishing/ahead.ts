/** The results of `work` in the order of `items`; it is done for `most` of them at once. */
export async function* ahead<T, R>(
  items: Iterable<T>,
  most: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = [];
  try {
    for (const item of items) {
      const result = work(item);
      // It is looked at in its turn.
      result.catch(() => undefined);
      running.push(result);
      if (running.length === most) yield await (running.shift() as Promise<R>);
    }
    while (running.length > 0) yield await (running.shift() as Promise<R>);
  } finally {
    await Promise.allSettled(running);
  }
}
