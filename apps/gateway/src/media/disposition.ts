const LONGEST = 120;
/** Of no use in a name, or of another use: controls, invisible ones, halves of characters, what systems keep for themselves. */
const NOT_IN_A_NAME = /[\p{C}\p{Zl}\p{Zp}/\\:*?"<>|]/gu;
/** What RFC 8187 lets stand, and encodeURIComponent does so, too. */
const NOT_PERCENT_ENCODED = /['()*]/g;

/**
 * `Content-Disposition` of a file that is to be saved under the name that a client asks for (RFC 6266), with
 * `.mp4` at its end. Null: it asks for none, and the file may be played where it is.
 */
export function dispositionOf(wanted: unknown): string | null {
  if (typeof wanted !== 'string') return null;
  const cleaned = wanted.replace(NOT_IN_A_NAME, '').replace(/^[.\s]+|[.\s]+$/g, '');
  const stem = [...cleaned.replace(/\.mp4$/i, '')].slice(0, LONGEST).join('') || 'video';
  const name = `${stem}.mp4`;
  const plain = name.replace(/[^\x20-\x7e]/g, '_').replaceAll('%', '_');
  const extended = encodeURIComponent(name).replace(
    NOT_PERCENT_ENCODED,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${extended}`;
}
