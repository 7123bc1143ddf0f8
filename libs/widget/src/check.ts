export interface Limits {
  /** Bytes; null: the service decides. */
  maxSize: number | null;
  /** Lower-case extensions with their dot; empty: the service decides. */
  extensions: string[];
}

export interface Refusal {
  code: 'empty_file' | 'extension_not_allowed' | 'file_too_large';
  message: string;
}

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** In steps of 1024, as the limits are configured: the default limit reads as 500 MB. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/**
 * What can be said about a file before a byte is sent (S2-01). The type that the browser reports is
 * made from the name only (`.ts` is often "text"), so it is not asked; the service reads the content.
 */
export function refuse(file: { name: string; size: number }, limits: Limits): Refusal | null {
  const dot = file.name.lastIndexOf('.');
  const extension = dot < 0 ? '' : file.name.slice(dot).toLowerCase();
  if (limits.extensions.length > 0 && !limits.extensions.includes(extension)) {
    return {
      code: 'extension_not_allowed',
      message: `“${file.name}” is not a kind of video that can be used; choose one of ${limits.extensions.join(' ')}.`,
    };
  }
  if (file.size === 0) {
    return { code: 'empty_file', message: `“${file.name}” is empty; choose a file that has content.` };
  }
  if (limits.maxSize !== null && file.size > limits.maxSize) {
    return {
      code: 'file_too_large',
      message: `“${file.name}” has ${formatBytes(file.size)}; choose one of at most ${formatBytes(limits.maxSize)}.`,
    };
  }
  return null;
}
