import type Hls from 'hls.js';
import type { Pictures } from '#contracts';
import { AudioMenu } from './audio-menu.js';
import { button, el } from './dom.js';
import { Filmstrip } from './filmstrip.js';

type HlsClass = typeof Hls;
let loading: Promise<HlsClass> | null = null;

/** hls.js is larger than the rest of the page: it is fetched when a video is likely to be played. */
export function loadHls(): Promise<HlsClass> {
  loading ??= import('hls.js').then(
    (module) => module.default,
    (error: unknown) => {
      loading = null;
      throw error;
    },
  );
  return loading;
}

const RETRY_MS = 1_000;
const RETRY_MAX_MS = 10_000;
/** A decoder that fails this often in a row will fail again. */
const MEDIA_RECOVERIES = 2;

/** Sent for every error that hls.js or the element reports; `fatal` ones interrupt the picture. */
export interface PlayerErrorDetail {
  fatal: boolean;
  details: string;
}

/** One `<video>` that plays one playlist from its beginning, with the audio off until a person turns it on. */
export class Player {
  readonly element: HTMLElement;
  readonly video: HTMLVideoElement;
  private readonly note = el('p', { class: 'player-note', attrs: { role: 'status' } });
  private readonly filmstrip: Filmstrip;
  private readonly languages: AudioMenu;
  private hls: Hls | null = null;
  private url: string | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private retries = 0;
  private recoveries = 0;

  constructor(label: string) {
    this.video = el('video', {
      attrs: { controls: '', playsinline: '', preload: 'auto', 'aria-label': `Player: ${label}` },
    });
    this.video.muted = true;
    this.video.addEventListener('playing', () => this.quiet());
    this.filmstrip = new Filmstrip(this.video, label);
    this.languages = new AudioMenu(label, (track) => {
      if (this.hls) this.hls.audioTrack = track;
    });
    const below = [this.filmstrip.element, this.languages.element];
    this.element = el('div', { class: 'player' }, this.video, this.note, ...below);
    this.note.hidden = true;
  }

  get isOpen(): boolean {
    return this.url !== null;
  }

  /** Pictures come when they are made, before or after the stream. */
  decorate({ poster, storyboard }: Pictures): void {
    if (poster && this.video.getAttribute('poster') !== poster) this.video.poster = poster;
    if (storyboard && this.isOpen) void this.filmstrip.load(storyboard);
  }

  /** @param url path of a multivariant playlist. A player that is open keeps what it plays. */
  async open(url: string, autoplay: boolean): Promise<void> {
    if (this.url !== null) return;
    this.url = url;
    this.video.autoplay = autoplay;
    const HlsClass = await loadHls().catch(() => null);
    if (this.url !== url) return;
    if (HlsClass?.isSupported()) this.attach(HlsClass, url, autoplay);
    else if (this.video.canPlayType('application/vnd.apple.mpegurl') !== '') this.video.src = url;
    else this.say('This browser cannot play the stream; open the link in another player.', false);
    if (autoplay) void this.video.play().catch(() => undefined);
  }

  close(): void {
    clearTimeout(this.retry);
    this.url = null;
    this.hls?.destroy();
    this.hls = null;
    this.languages.hide();
    this.video.removeAttribute('src');
    this.video.load();
  }

  private attach(HlsClass: HlsClass, url: string, autoplay: boolean): void {
    // Fragments are fMP4 and pass through unchanged: a worker would only copy them.
    const hls = new HlsClass({ enableWorker: false, startPosition: 0, backBufferLength: 60 });
    this.hls = hls;
    hls.on(HlsClass.Events.MANIFEST_PARSED, () => {
      if (autoplay) void this.video.play().catch(() => undefined);
    });
    const showLanguages = () => this.languages.show(hls.audioTracks, hls.audioTrack);
    hls.on(HlsClass.Events.AUDIO_TRACKS_UPDATED, showLanguages);
    hls.on(HlsClass.Events.AUDIO_TRACK_SWITCHED, showLanguages);
    hls.on(HlsClass.Events.FRAG_BUFFERED, () => {
      this.retries = 0;
      this.recoveries = 0;
    });
    hls.on(HlsClass.Events.ERROR, (_event, data) => {
      this.report({ fatal: data.fatal, details: data.details });
      if (!data.fatal) return;
      if (data.type === HlsClass.ErrorTypes.NETWORK_ERROR) this.again(url);
      else if (data.type === HlsClass.ErrorTypes.MEDIA_ERROR && this.recoveries < MEDIA_RECOVERIES) {
        this.recoveries += 1;
        hls.recoverMediaError();
      } else this.say('Playback stopped.', true);
    });
    hls.loadSource(url);
    hls.attachMedia(this.video);
  }

  /** A gateway that restarts is back in seconds; the picture goes on where it stopped. */
  private again(url: string): void {
    this.say('The connection was lost; trying again…', false);
    const wait = Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** this.retries);
    this.retries += 1;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => {
      if (!this.hls) return;
      if (this.hls.levels.length === 0) this.hls.loadSource(url);
      else this.hls.startLoad();
    }, wait);
  }

  private report(detail: PlayerErrorDetail): void {
    this.element.dispatchEvent(new CustomEvent('sluice-player-error', { detail, bubbles: true }));
  }

  private say(text: string, offerRetry: boolean): void {
    const children: (Node | string)[] = [text];
    if (offerRetry) {
      children.push(
        ' ',
        button('Play again', 'small', () => {
          const url = this.url;
          this.close();
          this.quiet();
          if (url) void this.open(url, true);
        }),
      );
    }
    this.note.replaceChildren(...children);
    this.note.hidden = false;
  }

  private quiet(): void {
    this.note.hidden = true;
  }
}
