const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text for an attribute or an element; characters that XML 1.0 does not know are dropped. */
export const attribute = (value: string | number): string =>
  String(value)
    .replace(/\p{Cc}|\p{Cs}|[\uFFFE\uFFFF]/gu, '')
    .replace(/[&<>"]/g, (character) => ENTITIES[character] as string);

/** An opening or, when `empty`, a whole tag; attributes without a value are left out. */
export function element(
  name: string,
  attributes: Record<string, string | number | null | undefined>,
  empty = false,
): string {
  const list = Object.entries(attributes)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([key, value]) => ` ${key}="${attribute(value as string | number)}"`);
  return `<${name}${list.join('')}${empty ? '/' : ''}>`;
}
