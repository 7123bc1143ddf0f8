import { formatBytes } from '../../../libs/widget/src/index.js';
import { Bar } from './bar.js';
import { button, el, setText } from './dom.js';
import type { JobState } from './job-state.js';
import { streamLinks } from './links.js';
import { Player } from './player.js';
import { ProgressLines } from './progress-lines.js';
import { type Summary, summarise, type TransferState } from './words.js';

export interface CardActions {
  /** These two throw an Error with a sentence for the person. */
  cancel(): Promise<void>;
  retry(): Promise<void>;
  /** Absent where the card stands alone. */
  remove?: () => void;
  choose?: () => void;
  /** Asked once, when the video has become playable: should its player open by itself? */
  opensItself(): boolean;
}

export interface CardModel {
  name: string;
  /** Bytes; null: not known. */
  size: number | null;
  job: JobState | null;
  transfer: TransferState;
  /** Why the server knows the job no more. */
  gone: string | null;
}

const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** One video: what happens to it, its player, its addresses. */
export class Card {
  readonly element: HTMLElement;
  readonly player: Player;
  private readonly overall: Bar;
  private readonly lines: ProgressLines;
  private readonly title: HTMLElement;
  private readonly stage = el('span', { class: 'stage' });
  private readonly size = el('span', { class: 'size' });
  private readonly pace = el('span', { class: 'pace' });
  private readonly percent = el('p', { class: 'percent', attrs: { 'aria-hidden': 'true' } });
  private readonly sentence = el('p', { class: 'sentence' });
  private readonly links = el('div', { class: 'card-links' });
  private readonly stageBox = el('div', { class: 'card-media' });
  private readonly still = el('img', { attrs: { alt: '' } });
  /** The same as Play, for a pointer. */
  private readonly thumb: HTMLButtonElement;
  private readonly play: HTMLButtonElement;
  private readonly choose: HTMLButtonElement;
  private readonly cancel: HTMLButtonElement;
  private readonly retry: HTMLButtonElement;
  private readonly remove: HTMLButtonElement;
  private asked = false;
  private model: CardModel | null = null;

  constructor(
    name: string,
    private readonly actions: CardActions,
    private readonly large = false,
  ) {
    this.title = el(large ? 'h1' : 'h2', { class: 'card-title' });
    this.player = new Player(name);
    this.overall = new Bar(`All of ${name}`, 'bar-overall');
    this.lines = new ProgressLines(name);
    this.thumb = el(
      'button',
      { class: 'thumb', attrs: { type: 'button', tabindex: '-1', 'aria-hidden': 'true' } },
      this.still,
    );
    this.thumb.addEventListener('click', () => this.openPlayer(true));
    this.thumb.hidden = true;
    this.play = button('Play', 'primary', () => this.openPlayer(true));
    this.play.setAttribute('aria-label', `Play ${name}`);
    this.choose = button('Choose the file', 'primary', () => actions.choose?.());
    this.retry = button('Try again', 'primary', () => void this.act(this.retry, actions.retry));
    this.retry.setAttribute('aria-label', `Try ${name} again`);
    this.cancel = button('Cancel', 'plain', () => void this.act(this.cancel, actions.cancel));
    this.cancel.setAttribute('aria-label', `Cancel ${name}`);
    this.remove = button('×', 'icon', () => actions.remove?.());
    this.remove.setAttribute('aria-label', `Remove ${name} from the list`);
    this.remove.title = 'Remove from the list';
    const head = el(
      'div',
      { class: 'card-head' },
      large ? null : this.thumb,
      el(
        'div',
        { class: 'card-names' },
        this.title,
        el('p', { class: 'meta' }, this.stage, this.size, this.pace),
      ),
      this.percent,
      this.remove,
    );
    const footer = el('div', { class: 'actions' }, this.play, this.choose, this.retry, this.cancel);
    const body = [head, this.overall.element, this.sentence, this.lines.element, footer, this.links];
    this.element = el(
      'article',
      { class: large ? 'card card-large' : 'card', attrs: { 'aria-label': name } },
      this.stageBox,
      el('div', { class: 'card-body' }, ...body),
    );
    if (large) this.stageBox.append(el('p', { class: 'placeholder' }));
  }

  update(model: CardModel): void {
    this.model = model;
    const { job, transfer } = model;
    const summary = summarise(job, transfer, model.gone);
    this.element.setAttribute('aria-label', model.name);
    this.element.dataset.tone = summary.tone;
    this.element.dataset.status = job?.status ?? 'pending';
    this.showHead(model, summary);
    this.overall.set(summary.percent);
    this.overall.element.hidden = !summary.running;
    this.lines.update(summary, transfer, job);
    this.showPlayer(summary);
    if (summary.completed && job && !this.links.hasChildNodes()) {
      this.links.append(streamLinks(job.playback, job.downloads, model.name));
    }
    this.play.hidden = this.player.isOpen || !summary.playable;
    this.showPictures(job);
    this.choose.hidden = !summary.resumable || !this.actions.choose;
    this.retry.hidden = !summary.retryable;
    this.cancel.hidden = !summary.running;
    this.remove.hidden = summary.running || !this.actions.remove;
  }

  close(): void {
    this.player.close();
    this.element.remove();
  }

  private showHead(model: CardModel, summary: Summary): void {
    this.showTitle(model);
    setText(this.stage, summary.headline);
    setText(this.size, model.size === null ? '' : formatBytes(model.size));
    setText(this.pace, summary.pace ?? '');
    setText(this.percent, summary.running ? `${summary.percent} %` : '');
    setText(this.sentence, summary.sentence ?? '');
    this.sentence.hidden = summary.sentence === null;
  }

  /** In the list the title leads to the video's own page. */
  private showTitle({ name, job }: CardModel): void {
    const href = job && !this.large ? `/watch/${job.jobId}` : null;
    const shown = this.title.firstElementChild?.getAttribute('href') ?? null;
    if (this.title.hasChildNodes() && shown === href && this.title.textContent === name) return;
    this.title.replaceChildren(href ? el('a', { attrs: { href } }, name) : name);
  }

  private showPictures(job: JobState | null): void {
    if (!job) return;
    this.player.decorate(job.playback);
    const { poster } = job.playback;
    this.thumb.hidden = this.play.hidden || poster === null;
    if (poster && this.still.getAttribute('src') !== poster) this.still.src = poster;
  }

  private showPlayer(summary: Summary): void {
    if (!summary.playable) {
      if (this.player.isOpen) this.player.close();
      this.player.element.remove();
    } else if (!this.asked) {
      this.asked = true;
      if (this.actions.opensItself()) this.openPlayer(false);
    }
    const stage = this.large && (summary.running || summary.playable);
    this.element.classList.toggle('has-player', this.player.isOpen || stage);
    const placeholder = this.stageBox.querySelector<HTMLElement>('.placeholder');
    if (!placeholder) return;
    placeholder.hidden = this.player.isOpen;
    setText(placeholder, summary.running ? `${summary.headline}…` : summary.playable ? '' : summary.headline);
  }

  /** A video that is complete is played from its final playlist, one in the making from the early one. */
  private openPlayer(asked: boolean): void {
    const playback = this.model?.job?.playback;
    const done = this.model?.job?.status === 'completed';
    const url = done ? (playback?.hls ?? playback?.early) : playback?.early;
    if (!url) return;
    this.stageBox.append(this.player.element);
    void this.player.open(url, asked || !calm.matches);
    if (asked && this.model) {
      this.update(this.model);
      this.player.video.focus();
    }
  }

  private async act(asked: HTMLButtonElement, action: () => Promise<void>): Promise<void> {
    asked.disabled = true;
    try {
      await action();
    } catch (error) {
      setText(
        this.sentence,
        error instanceof Error ? error.message : 'That did not work; try again in a moment.',
      );
      this.sentence.hidden = false;
    } finally {
      asked.disabled = false;
    }
  }
}
