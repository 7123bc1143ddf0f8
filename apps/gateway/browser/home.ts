import type { PublicConfig } from '#contracts';
import type { SluiceUploader } from '../../../libs/widget/src/index.js';
import { el } from './dom.js';
import { readEntries } from './entries.js';
import { showLink } from './link-state.js';
import { Live } from './live.js';
import { loadHls } from './player.js';
import { Row } from './row.js';
import { getToken } from './token.js';

/** More pictures at once than this would fight for the line and the decoder; the rest have a button. */
const PLAYERS_OPEN = 3;

/** The page with the uploader and the list. */
export function showHome(main: HTMLElement, config: PublicConfig): void {
  const uploader = makeUploader(config);
  const list = el('div', { class: 'list' });
  const empty = el(
    'p',
    { class: 'empty' },
    'Videos you add appear here, and play as soon as their first seconds are ready.',
  );
  const clear = el('button', { class: 'plain', attrs: { type: 'button' } }, 'Clear finished');
  main.append(
    el(
      'div',
      { class: 'intro' },
      el('h1', {}, 'Drop a video, watch it at once'),
      el('p', { class: 'lead' }, 'It plays while the rest is still being encoded.'),
    ),
    uploader,
    el(
      'section',
      { class: 'videos', attrs: { 'aria-labelledby': 'videos-title' } },
      el('div', { class: 'videos-head' }, el('h2', { attrs: { id: 'videos-title' } }, 'Videos'), clear),
      list,
      empty,
    ),
  );
  new Home(uploader, list, empty, clear);
}

function makeUploader(config: PublicConfig): SluiceUploader {
  const uploader = el('sluice-uploader', {
    attrs: {
      'upload-url': config.upload_url,
      'max-size': String(config.max_file_size),
      accept: config.allowed_extensions.join(','),
    },
  });
  uploader.getToken = getToken;
  return uploader;
}

class Home {
  /** In the order of the page. */
  private rows: Row[] = [];
  private readonly live = new Live((jobId, news) => {
    for (const row of this.rows) if (row.jobId === jobId) row.hear(news);
  }, showLink);

  constructor(
    private readonly uploader: SluiceUploader,
    private readonly list: HTMLElement,
    private readonly empty: HTMLElement,
    private readonly clear: HTMLElement,
  ) {
    for (const entry of readEntries()) this.rows.push(this.makeRow(Row.stored(entry)));
    list.append(...this.rows.map((row) => row.card.element));
    for (const row of this.rows) row.start();
    clear.addEventListener('click', () => {
      for (const row of this.rows.filter(({ finished }) => finished)) row.remove();
    });
    this.listen();
    this.tidy();
  }

  private makeRow(init: ConstructorParameters<typeof Row>[0]): Row {
    const row: Row = new Row(init, {
      live: this.live,
      uploader: this.uploader,
      mayOpenPlayer: () => this.rows.filter(({ card }) => card.player.isOpen).length < PLAYERS_OPEN,
      changed: () => this.tidy(),
      removed: () => {
        this.rows = this.rows.filter((other) => other !== row);
        // Another row of the same job still needs its news.
        if (row.jobId && !this.rows.some(({ jobId }) => jobId === row.jobId)) this.live.unfollow(row.jobId);
        this.tidy();
      },
    });
    return row;
  }

  private listen(): void {
    const byUpload = (uploadId: string | null) => this.rows.find((row) => row.uploadId === uploadId);
    this.uploader.addEventListener('sluice-queued', ({ detail }) => {
      // The player's code comes while the file goes.
      void loadHls().catch(() => undefined);
      const added: Row[] = [];
      for (const file of detail.files) {
        const known = this.rows.find((row) => row.awaits(file));
        if (known) known.resume(file);
        else added.push(this.makeRow(Row.queued(file, added.length)));
      }
      this.rows.unshift(...added);
      this.list.prepend(...added.map((row) => row.card.element));
      for (const row of added) row.start();
      this.tidy();
    });
    this.uploader.addEventListener('sluice-session', ({ detail }) =>
      byUpload(detail.uploadId)?.session(detail),
    );
    this.uploader.addEventListener('sluice-progress', ({ detail }) =>
      byUpload(detail.uploadId)?.progress(detail),
    );
    this.uploader.addEventListener('sluice-complete', ({ detail }) =>
      byUpload(detail.uploadId)?.sent(detail),
    );
    this.uploader.addEventListener('sluice-error', ({ detail }) => {
      if (detail.uploadId !== null) byUpload(detail.uploadId)?.failed(detail);
    });
    // A file that misses the zone must not replace the page.
    document.addEventListener('dragover', (event) => event.preventDefault());
    document.addEventListener('drop', (event) => {
      event.preventDefault();
      if (event.dataTransfer) this.uploader.addDrop(event.dataTransfer);
    });
    window.addEventListener('beforeunload', (event) => {
      if (this.uploader.busy) event.preventDefault();
    });
  }

  private tidy(): void {
    this.empty.hidden = this.rows.length > 0;
    this.uploader.parentElement?.classList.toggle('has-videos', this.rows.length > 0);
    this.clear.hidden = this.rows.filter(({ finished }) => finished).length < 2;
  }
}
