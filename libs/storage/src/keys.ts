const PART = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/;

export const isKey = (key: string): boolean => key.split('/').every((part) => PART.test(part));

/** Keys are made by our own code, so a bad one is a programming error and not a client's. */
export function checkKey(key: string): string {
  if (!isKey(key)) throw new TypeError(`not an object key: ${JSON.stringify(key)}`);
  return key;
}

/** A prefix is the empty one (everything) or parts that end in `/`; comes back without the slash. */
export function checkPrefix(prefix: string): string {
  if (prefix === '') return '';
  if (!prefix.endsWith('/')) throw new TypeError(`not a prefix, it must end in /: ${JSON.stringify(prefix)}`);
  return checkKey(prefix.slice(0, -1));
}
