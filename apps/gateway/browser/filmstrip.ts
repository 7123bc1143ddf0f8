import { el, setText } from './dom.js';
import { clock, parseStoryboard, type Tile, tileAt } from './storyboard.js';

/** Pixels; the preview shows a tile in its own size. */
const STRIP_HEIGHT = 44;
const KEY_SECONDS = 5;

/** Pictures of the video in a row below it: pointing shows what is there, pressing goes there. */
export class Filmstrip {
  readonly element: HTMLElement;
  private readonly row = el('div', { class: 'filmstrip-row' });
  private readonly picture = el('div', { class: 'filmstrip-picture' });
  private readonly time = el('span', { class: 'filmstrip-time' });
  private readonly preview = el('div', { class: 'filmstrip-preview' }, this.picture, this.time);
  private tiles: Tile[] = [];
  private url: string | null = null;

  constructor(
    private readonly video: HTMLVideoElement,
    label: string,
  ) {
    this.element = el(
      'div',
      {
        class: 'filmstrip',
        attrs: { role: 'slider', tabindex: '0', 'aria-label': `Scenes of ${label}`, 'aria-valuemin': '0' },
      },
      this.row,
      this.preview,
    );
    this.element.hidden = true;
    this.preview.hidden = true;
    this.element.addEventListener('pointermove', (event) => this.point(event));
    this.element.addEventListener('pointerdown', (event) => this.press(event));
    this.element.addEventListener('pointerleave', () => {
      this.preview.hidden = true;
    });
    this.element.addEventListener('keydown', (event) => this.key(event));
    video.addEventListener('timeupdate', () => this.follow());
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** Asked for again with the same address it does nothing; one that cannot be had leaves the strip out. */
  async load(path: string): Promise<void> {
    const url = new URL(path, location.href).href;
    if (this.url === url) return;
    this.url = url;
    const response = await fetch(url).catch(() => null);
    if (!response?.ok) {
      this.url = null;
      return;
    }
    this.tiles = parseStoryboard(await response.text(), url);
    this.element.hidden = this.tiles.length < 2;
    this.element.setAttribute('aria-valuemax', String(Math.round(this.duration)));
    this.follow();
    this.draw();
  }

  private get duration(): number {
    return this.tiles.at(-1)?.end ?? 0;
  }

  /** As many pictures as fit side by side, each the one of the middle of its place. */
  private draw(): void {
    const first = this.tiles[0];
    if (!first || this.element.hidden) return;
    const width = (first.width * STRIP_HEIGHT) / first.height;
    const count = Math.max(1, Math.ceil(this.element.clientWidth / width));
    const shown = Array.from({ length: count }, (_, i) => {
      const tile = tileAt(this.tiles, ((i + 0.5) / count) * this.duration) as Tile;
      return this.show(el('span'), tile, STRIP_HEIGHT / tile.height);
    });
    this.row.replaceChildren(...shown);
  }

  private show<T extends HTMLElement>(element: T, tile: Tile, scale: number): T {
    const sheet = Math.max(...this.tiles.map(({ x, width }) => x + width));
    Object.assign(element.style, {
      width: `${tile.width * scale}px`,
      height: `${tile.height * scale}px`,
      backgroundImage: `url("${tile.image}")`,
      backgroundSize: `${sheet * scale}px auto`,
      backgroundPosition: `${-tile.x * scale}px ${-tile.y * scale}px`,
    });
    return element;
  }

  private point(event: PointerEvent): void {
    const seconds = this.secondsAt(event);
    const tile = tileAt(this.tiles, seconds);
    if (!tile) return;
    this.show(this.picture, tile, 1);
    setText(this.time, clock(seconds));
    this.preview.hidden = false;
    const { left, width } = this.element.getBoundingClientRect();
    const half = this.preview.offsetWidth / 2;
    const at = Math.min(Math.max(event.clientX - left, half), Math.max(half, width - half));
    this.preview.style.left = `${at}px`;
    if (event.buttons === 1) this.video.currentTime = seconds;
  }

  private press(event: PointerEvent): void {
    this.element.setPointerCapture(event.pointerId);
    this.point(event);
    this.video.currentTime = this.secondsAt(event);
  }

  private secondsAt({ clientX }: PointerEvent): number {
    const { left, width } = this.element.getBoundingClientRect();
    return Math.min(1, Math.max(0, (clientX - left) / width)) * this.duration;
  }

  private key(event: KeyboardEvent): void {
    const step = { ArrowLeft: -KEY_SECONDS, ArrowRight: KEY_SECONDS }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.video.currentTime = Math.min(this.duration, Math.max(0, this.video.currentTime + step));
  }

  private follow(): void {
    if (this.duration === 0) return;
    const { currentTime } = this.video;
    this.element.style.setProperty('--at', String(Math.min(1, currentTime / this.duration)));
    this.element.setAttribute('aria-valuenow', String(Math.round(currentTime)));
    this.element.setAttribute('aria-valuetext', clock(currentTime));
  }
}
