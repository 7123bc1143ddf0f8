import { invalid } from './refusals.js';

export type Concat = { kind: 'partial' } | { kind: 'final'; partials: string[] };

const URL_OF_ONE = /\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/?$/;

/** `Upload-Concat: partial` or `final;/files/a /files/b`, with absolute or relative URLs; null without the header. */
export function parseConcat(header: string | string[] | undefined): Concat | null {
  if (header === undefined) return null;
  const text = String(header).trim();
  if (text === 'partial') return { kind: 'partial' };
  if (!text.startsWith('final;'))
    throw invalid('Upload-Concat must be partial, or final; and the URLs of the partial uploads.');
  const partials = text
    .slice('final;'.length)
    .split(' ')
    .filter((url) => url !== '')
    .map((url) => {
      const id = URL_OF_ONE.exec(url)?.[1];
      if (!id) throw invalid('Upload-Concat names a URL that is not one of an upload here.');
      return id;
    });
  if (partials.length === 0) throw invalid('Upload-Concat names no partial uploads; list their URLs.');
  if (new Set(partials).size < partials.length)
    throw invalid('Upload-Concat names a partial upload twice; each can be part of a file once.');
  return { kind: 'final', partials };
}
