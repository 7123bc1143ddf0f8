import { SluiceError } from '#contracts';

/** Controls, line ends, lone surrogates and invisible format characters (text direction among them) except joiners. */
const UNSAFE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/u;

/**
 * A client's file name as it may be stored and shown; it never becomes a path. Throws
 * `invalid_filename` or `extension_not_allowed`.
 */
export function checkFilename(given: string, extensions: ReadonlySet<string>): string {
  const name = given.normalize('NFC').trim();
  if (name === '' || name.length > 255 || name === '.' || name === '..') {
    throw new SluiceError(
      'invalid_filename',
      'A file name of 1 to 255 characters is needed; rename the file and try again.',
    );
  }
  if (UNSAFE.test(name) || /[/\\]/.test(name)) {
    throw new SluiceError(
      'invalid_filename',
      'The file name has characters that are not allowed (slashes, control or invisible characters); rename the file and try again.',
    );
  }
  if (!extensions.has(extensionOf(name))) {
    throw new SluiceError(
      'extension_not_allowed',
      `Files of this kind are not taken; send one of ${[...extensions].join(', ')}.`,
    );
  }
  return name;
}

function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(dot).toLowerCase() : '';
}
