/** A row of the list as it survives a reload. */
export interface Entry {
  id: string;
  name: string;
  /** Bytes. */
  size: number;
  sessionId: string | null;
  jobId: string | null;
  /** All bytes have been confirmed; until then a reload interrupts the upload. */
  sent: boolean;
  /** The last known end of the job: such rows are only looked up, not followed. */
  ended: boolean;
  /** Orders the list, newest first: milliseconds since 1970, less a little for the later files of a drop. */
  addedAt: number;
}

const KEY = 'sluice.videos';
/** Older rows leave the list, not the server. */
const KEPT = 60;

/** Newest first. What was stored by an older page or by hand is taken only where it has the right shape. */
export function readEntries(): Entry[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(stored) ? stored.filter(isEntry).sort((a, b) => b.addedAt - a.addedAt) : [];
  } catch {
    return [];
  }
}

/** Other tabs write the same list: each change reads it again and touches one row. */
export function saveEntry(entry: Entry): void {
  const entries = readEntries();
  const index = entries.findIndex(({ id }) => id === entry.id);
  if (index < 0) entries.unshift(entry);
  else entries[index] = entry;
  write(entries.slice(0, KEPT));
}

export function removeEntry(id: string): void {
  write(readEntries().filter((entry) => entry.id !== id));
}

function write(entries: Entry[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(entries));
  } catch {
    // Private windows and full stores: the list then lasts as long as the page.
  }
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false;
  const entry = value as Record<string, unknown>;
  const idOrNull = (id: unknown) => id === null || typeof id === 'string';
  return (
    typeof entry.id === 'string' &&
    typeof entry.name === 'string' &&
    typeof entry.size === 'number' &&
    typeof entry.sent === 'boolean' &&
    typeof entry.ended === 'boolean' &&
    typeof entry.addedAt === 'number' &&
    idOrNull(entry.sessionId) &&
    idOrNull(entry.jobId)
  );
}
