type Child = Node | string | null;

/** An element with class, attributes and children; text is always text. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  options: { class?: string; attrs?: Record<string, string>; on?: Record<string, () => void> } = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (options.class) element.className = options.class;
  for (const [name, value] of Object.entries(options.attrs ?? {})) element.setAttribute(name, value);
  for (const [name, listener] of Object.entries(options.on ?? {})) element.addEventListener(name, listener);
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function button(label: string, className: string, onClick: () => void): HTMLButtonElement {
  return el('button', { class: className, attrs: { type: 'button' }, on: { click: onClick } }, label);
}

/** Writes only what differs: screen readers and selections are left alone. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Says something once to those who do not see the page. */
export function say(text: string): void {
  const region = document.getElementById('said');
  if (region) region.textContent = text;
}
