import type { UploaderEventName, UploaderEvents } from './events.js';
import { SluiceUploader } from './uploader.js';

export { formatBytes } from './check.js';
export type * from './events.js';
export { SluiceUploader };

type SluiceEventMap = { [N in UploaderEventName]: CustomEvent<UploaderEvents[N]> };

declare global {
  interface HTMLElementTagNameMap {
    'sluice-uploader': SluiceUploader;
  }
  interface HTMLElementEventMap extends SluiceEventMap {}
}

/** Registers `<sluice-uploader>`; a second call does nothing. */
export function defineUploader(): void {
  if (!customElements.get('sluice-uploader')) customElements.define('sluice-uploader', SluiceUploader);
}
