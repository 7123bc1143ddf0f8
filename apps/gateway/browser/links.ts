import type { Playback } from '#contracts';
import { button, el, say } from './dom.js';

const COPIED_MS = 2_000;

/** The addresses of a finished video, to copy into any player. */
export function streamLinks(playback: Playback, name: string): HTMLElement {
  const rows: [string, string | null][] = [
    ['HLS', playback.hls],
    ['DASH', playback.dash],
  ];
  return el(
    'div',
    { class: 'links' },
    ...rows.map(([label, path]) => (path ? linkRow(label, path, name) : null)),
  );
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
