import { el, setText } from './dom.js';

/** A progress bar; without a value it shows that something moves and nobody knows how far. */
export class Bar {
  readonly element: HTMLElement;
  private readonly fill = el('span', { class: 'bar-fill' });

  constructor(label: string, className = '') {
    this.element = el(
      'div',
      {
        class: `bar ${className}`,
        attrs: { role: 'progressbar', 'aria-label': label, 'aria-valuemin': '0', 'aria-valuemax': '100' },
      },
      this.fill,
    );
  }

  set(percent: number | null): void {
    this.element.classList.toggle('bar-open', percent === null);
    if (percent === null) {
      this.element.removeAttribute('aria-valuenow');
      this.fill.style.removeProperty('transform');
      return;
    }
    this.element.setAttribute('aria-valuenow', String(Math.floor(percent)));
    this.fill.style.transform = `scaleX(${percent / 100})`;
  }
}

/** Name, bar and numbers in one line of a list. */
export class BarLine {
  readonly element: HTMLLIElement;
  private readonly bar: Bar;
  private readonly count = el('span', { class: 'line-count' });

  constructor(label: string, tag: string | null, barLabel: string) {
    this.bar = new Bar(barLabel);
    const name = el('span', { class: 'line-name' }, label);
    if (tag) name.append(' ', el('span', { class: 'tag' }, tag));
    this.element = el('li', { class: 'line' }, name, this.bar.element, this.count);
  }

  set(percent: number | null, count: string): void {
    this.bar.set(percent);
    this.element.classList.toggle('line-done', percent === 100);
    setText(this.count, count);
  }
}
