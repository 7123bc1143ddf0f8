/** Reconnects take moments; only what lasts is said. */
const PATIENCE_MS = 1_500;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Says in the header when the live connection is away; rows then follow by asking every two seconds. */
export function showLink(up: boolean): void {
  const place = document.getElementById('link-state');
  if (!place) return;
  if (up) {
    clearTimeout(timer);
    timer = undefined;
    place.textContent = '';
    return;
  }
  timer ??= setTimeout(() => {
    place.textContent = 'Reconnecting…';
  }, PATIENCE_MS);
}
