import { formatBytes, type Limits, refuse } from './check.js';
import type { Resumable, UploaderEventName, UploaderEvents } from './events.js';
import { MARKUP, STYLE } from './style.js';
import { Transfers } from './transfers.js';

/** Refusals shown at once; a folder of wrong files must not push the page away. */
const NOTES_SHOWN = 4;

/**
 * `<sluice-uploader upload-url max-size accept>`: takes videos by drop or picker and sends them.
 *
 * - `upload-url`: base URL of the upload service.
 * - `max-size`: bytes.
 * - `accept`: extensions with their dot, separated by commas or spaces.
 *
 * Sends the events of {@link UploaderEvents}. Needs no framework and no style sheet of the page.
 */
export class SluiceUploader extends HTMLElement {
  /** Says an upload token (or an API key) before each request; for services that ask who comes. */
  getToken: (() => Promise<string | null> | string | null) | undefined;

  static readonly observedAttributes = ['max-size', 'accept'];

  private readonly transfers = new Transfers(
    () => this.getAttribute('upload-url') ?? location.origin,
    (name, detail) => this.send(name, detail),
    () => this.getToken?.() ?? null,
  );
  private readonly offers = new Map<string, Resumable>();
  private readonly zone: HTMLElement;
  private readonly input: HTMLInputElement;
  private readonly hint: HTMLElement;
  private readonly notes: HTMLElement;
  private readonly status: HTMLElement;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.innerHTML = MARKUP;
    const find = <E extends Element>(selector: string): E => root.querySelector<E>(selector)!;
    this.zone = find('.zone');
    this.input = find('input');
    this.hint = find('.hint');
    this.notes = find('.notes');
    this.status = find('[role=status]');
    find<HTMLButtonElement>('button').addEventListener('click', () => this.choose());
    this.input.addEventListener('change', () => {
      this.addFiles(this.input.files ?? []);
      // The same file must be able to be chosen again.
      this.input.value = '';
    });
    this.listenForDrops();
  }

  connectedCallback(): void {
    this.showLimits();
  }

  attributeChangedCallback(): void {
    this.showLimits();
  }

  /** True while files are being sent or wait for their turn. */
  get busy(): boolean {
    return this.transfers.active > 0;
  }

  /** Opens the file picker; browsers allow it only in answer to a person's action. */
  choose(): void {
    this.input.click();
  }

  /** Checks and queues files, as if they had been dropped. */
  addFiles(files: Iterable<File>): void {
    const limits = this.limits();
    const accepted: { file: File; resume: Resumable | null }[] = [];
    const refused: string[] = [];
    for (const file of files) {
      const refusal = refuse(file, limits);
      if (refusal) {
        refused.push(refusal.message);
        this.send('sluice-error', { uploadId: null, name: file.name, size: file.size, ...refusal });
        continue;
      }
      const key = offerKey(file);
      const resume = this.offers.get(key) ?? null;
      this.offers.delete(key);
      accepted.push({ file, resume });
    }
    this.note(refused);
    if (accepted.length === 0) return;
    this.status.textContent =
      accepted.length === 1 ? `Uploading ${accepted[0]!.file.name}` : `Uploading ${accepted.length} files`;
    this.transfers.add(accepted);
  }

  /** Takes the files out of a drop; folders are named, not opened. */
  addDrop(data: DataTransfer): void {
    const files: File[] = [];
    const folders: string[] = [];
    for (const item of data.items) {
      if (item.kind !== 'file') continue;
      const entry = item.webkitGetAsEntry();
      const file = item.getAsFile();
      if (entry?.isDirectory) folders.push(`“${entry.name}” is a folder; drop the videos in it instead.`);
      else if (file) files.push(file);
    }
    this.addFiles(files);
    if (folders.length > 0) this.note(folders);
  }

  /** From now on a file of this name and size continues the session instead of beginning a new one. */
  offerResume(session: Resumable): void {
    this.offers.set(offerKey(session), session);
  }

  withdrawResume(session: { name: string; size: number }): void {
    this.offers.delete(offerKey(session));
  }

  /** Stops an upload and has the service forget it. Rejects when the service cannot be reached. */
  cancel(uploadId: string): Promise<void> {
    return this.transfers.cancel(uploadId);
  }

  private limits(): Limits {
    const size = Number(this.getAttribute('max-size'));
    const accept = this.getAttribute('accept') ?? '';
    return {
      maxSize: Number.isFinite(size) && size > 0 ? size : null,
      extensions: accept
        .toLowerCase()
        .split(/[\s,]+/)
        .filter((part) => part.startsWith('.')),
    };
  }

  private showLimits(): void {
    const { maxSize, extensions } = this.limits();
    this.input.accept = extensions.join(',');
    const kinds = extensions.map((extension) => extension.slice(1).toUpperCase()).join(', ');
    const size = maxSize === null ? '' : `up to ${formatBytes(maxSize)} each`;
    this.hint.textContent = [kinds, size].filter(Boolean).join(' · ');
  }

  private note(messages: string[]): void {
    const shown = messages.slice(0, NOTES_SHOWN);
    const more = messages.length - shown.length;
    if (more > 0)
      shown.push(`${more} more ${more === 1 ? 'file was' : 'files were'} left out for such reasons.`);
    this.notes.replaceChildren(
      ...shown.map((message) => {
        const item = document.createElement('li');
        item.textContent = message;
        return item;
      }),
    );
  }

  private listenForDrops(): void {
    // Children fire enter and leave too; the zone is left when as many have left as entered.
    let depth = 0;
    const mark = () => this.zone.classList.toggle('over', depth > 0);
    this.zone.addEventListener('dragenter', (event) => {
      event.preventDefault();
      depth += 1;
      mark();
    });
    this.zone.addEventListener('dragleave', () => {
      depth = Math.max(0, depth - 1);
      mark();
    });
    this.zone.addEventListener('dragover', (event) => event.preventDefault());
    this.zone.addEventListener('drop', (event) => {
      event.preventDefault();
      event.stopPropagation();
      depth = 0;
      mark();
      if (event.dataTransfer) this.addDrop(event.dataTransfer);
    });
  }

  private send<N extends UploaderEventName>(name: N, detail: UploaderEvents[N]): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

function offerKey(file: { name: string; size: number }): string {
  return `${file.size}/${file.name}`;
}
