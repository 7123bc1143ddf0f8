import type { MediaPlaylist } from 'hls.js';
import { el } from './dom.js';

/** The languages of a video; of no use, and not shown, where there is one. */
export class AudioMenu {
  readonly element: HTMLElement;
  private readonly select: HTMLSelectElement;

  constructor(label: string, onChoice: (index: number) => void) {
    this.select = el('select', { attrs: { 'aria-label': `Audio of ${label}` } });
    this.select.addEventListener('change', () => onChoice(this.select.selectedIndex));
    this.element = el('label', { class: 'audio-menu' }, el('span', {}, 'Audio'), this.select);
    this.element.hidden = true;
  }

  show(tracks: readonly MediaPlaylist[], chosen: number): void {
    this.element.hidden = tracks.length < 2;
    this.select.replaceChildren(
      ...tracks.map(({ name, lang }) => el('option', lang ? { attrs: { lang } } : {}, name)),
    );
    // The player chooses a little later than it knows of them.
    this.select.selectedIndex = chosen >= 0 ? chosen : tracks.findIndex((track) => track.default);
  }

  hide(): void {
    this.element.hidden = true;
  }
}
