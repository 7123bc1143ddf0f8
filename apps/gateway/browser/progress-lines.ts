import { formatBytes } from '../../../libs/widget/src/index.js';
import { BarLine } from './bar.js';
import { el } from './dom.js';
import type { JobState } from './job-state.js';
import { renditionLabel, renditionPercent, type Summary, type TransferState } from './words.js';

/** The upload's bar and one per rendition while the job runs; what came of it afterwards. */
export class ProgressLines {
  readonly element: HTMLElement;
  private readonly list: HTMLUListElement;
  private readonly results: HTMLUListElement;
  private readonly upload: BarLine;
  private readonly renditions = new Map<string, BarLine>();

  constructor(private readonly name: string) {
    this.upload = new BarLine('Upload', null, `Upload of ${name}`);
    this.list = el(
      'ul',
      { class: 'lines', attrs: { 'aria-label': `Progress of ${name}` } },
      this.upload.element,
    );
    this.results = el('ul', { class: 'results', attrs: { 'aria-label': 'Renditions' } });
    this.element = el('div', {}, this.list, this.results);
  }

  update(summary: Summary, transfer: TransferState, job: JobState | null): void {
    this.element.hidden = !summary.running && !summary.completed;
    this.list.hidden = !summary.running;
    this.results.hidden = !summary.completed;
    if (summary.completed && job) this.showResults(job);
    if (!summary.running) return;
    const total = transfer.total || job?.bytesTotal || 0;
    this.upload.set(
      summary.uploadPercent,
      summary.uploadPercent === 100 ? formatBytes(total) : `${summary.uploadPercent} %`,
    );
    for (const rendition of job?.renditions ?? []) {
      let line = this.renditions.get(rendition.name);
      if (!line) {
        const label = renditionLabel(rendition);
        line = new BarLine(label, rendition.mode === 'copy' ? 'copy' : null, `${label} of ${this.name}`);
        line.element.dataset.rendition = rendition.name;
        this.renditions.set(rendition.name, line);
        this.list.append(line.element);
      }
      const { segments_completed: done, segments_total: all } = rendition;
      line.set(renditionPercent(rendition), all === null ? `${done}` : `${done} / ${all}`);
    }
  }

  private showResults(job: JobState): void {
    if (this.results.childElementCount === job.renditions.length) return;
    this.results.replaceChildren(
      ...job.renditions.map((rendition) => {
        const { width, height } = rendition;
        const track = rendition.kind === 'audio' ? 'sound' : 'text';
        const title = width && height ? `${width} × ${height} pixels` : track;
        return el('li', { class: 'result', attrs: { title } }, renditionLabel(rendition));
      }),
    );
  }
}
