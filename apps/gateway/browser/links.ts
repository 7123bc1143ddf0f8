import type { Download, Playback } from '#contracts';
import { formatBytes } from '../../../libs/widget/src/index.js';
import { button, el, say } from './dom.js';

const COPIED_MS = 2_000;

/** The addresses of a finished video, to copy into any player, and its files to download. */
export function streamLinks(playback: Playback, downloads: Download[], name: string): HTMLElement {
  const rows: [string, string | null][] = [
    ['HLS', playback.hls],
    ['DASH', playback.dash],
    ['HLS with MPEG-TS', playback.hls_ts],
  ];
  return el(
    'div',
    { class: 'links' },
    ...rows.map(([label, path]) => (path ? linkRow(label, path, name) : null)),
    downloads.length === 0 ? null : downloadRow(downloads, name),
  );
}

/** Saved under the video's own name: the service says so, which also counts where the page is of another origin. */
function downloadRow(downloads: Download[], name: string): HTMLElement {
  const links = downloads.map(({ name: rendition, url, bytes }) => {
    const href = new URL(url, location.href);
    href.searchParams.set('filename', `${name.replace(/\.[^.]*$/, '')} ${rendition}.mp4`);
    const attrs = { href: href.href, download: '', 'aria-label': `Download ${name} in ${rendition}` };
    return el('a', { class: 'link-download', attrs }, `${rendition} (${formatBytes(bytes)})`);
  });
  const files = el('div', { class: 'link-files' }, ...links);
  return el('div', { class: 'link-row' }, el('span', { class: 'link-kind' }, 'MP4'), files);
}

function linkRow(label: string, path: string, name: string): HTMLElement {
  const field = el('input', {
    class: 'link-field',
    attrs: { readonly: '', type: 'text', 'aria-label': `${label} address of ${name}`, spellcheck: 'false' },
  });
  field.value = new URL(path, location.href).href;
  field.addEventListener('focus', () => field.select());
  const copy = button('Copy', 'small', () => void copyFrom(field, copy, label));
  copy.setAttribute('aria-label', `Copy the ${label} address`);
  return el('div', { class: 'link-row' }, el('span', { class: 'link-kind' }, label), field, copy);
}

/** Pages that are not secure (plain http on a network) have no clipboard: the address is then selected. */
async function copyFrom(field: HTMLInputElement, copy: HTMLButtonElement, label: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(field.value);
    copy.textContent = 'Copied';
    say(`${label} address copied`);
  } catch {
    field.select();
    copy.textContent = 'Press Ctrl+C';
  }
  setTimeout(() => {
    copy.textContent = 'Copy';
  }, COPIED_MS);
}
