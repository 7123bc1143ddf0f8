export interface Box {
  type: string;
  /** First byte after the header. */
  start: number;
  end: number;
}

/** Far more than any file has side by side; 64 MiB of empty boxes would keep us busy for seconds. */
const MOST_SIBLINGS = 10_000;

/** The boxes directly inside `[start, end)`; stops at the first one that does not fit. */
export function* boxesIn(data: Buffer, start = 0, end = data.length): Generator<Box> {
  let at = start;
  for (let n = 0; at + 8 <= end; n++) {
    if (n === MOST_SIBLINGS) throw new RangeError('more boxes side by side than a file may have');
    let size = data.readUInt32BE(at);
    let header = 8;
    if (size === 1 && at + 16 <= end) {
      size = Number(data.readBigUInt64BE(at + 8));
      header = 16;
    } else if (size === 0) size = end - at;
    if (size < header || at + size > end) return;
    yield { type: data.toString('latin1', at + 4, at + 8), start: at + header, end: at + size };
    at += size;
  }
}

/** The first box along `path`, e.g. `mdia/minf/stbl`. */
export function findBox(data: Buffer, path: string, within?: Box): Box | null {
  let scope: Box = within ?? { type: '', start: 0, end: data.length };
  for (const type of path.split('/')) {
    let found: Box | null = null;
    for (const box of boxesIn(data, scope.start, scope.end)) {
      if (box.type === type) {
        found = box;
        break;
      }
    }
    if (!found) return null;
    scope = found;
  }
  return scope;
}

export function requireBox(data: Buffer, path: string, within?: Box): Box {
  const box = findBox(data, path, within);
  if (!box) throw new RangeError(`no ${path} box`);
  return box;
}
