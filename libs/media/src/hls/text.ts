/** A quoted-string attribute cannot hold a double quote or a line break (RFC 8216, 4.2): they become `'` and a space. */
export const quoted = (value: string): string => `"${value.replaceAll('"', "'").replace(/\p{Cc}+/gu, ' ')}"`;

/** A URI on a line or in quotes: whatever could end either is percent-encoded; what is already encoded stays. */
export const uri = (value: string): string =>
  value.replace(/[^\x21\x23-\x7e]+/g, (part) => encodeURIComponent(part.replace(/\p{Cs}/gu, '')));
