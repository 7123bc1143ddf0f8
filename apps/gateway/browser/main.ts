import { defineUploader } from '../../../libs/widget/src/index.js';
import { fetchConfig } from './api.js';
import { button, el } from './dom.js';
import { showHome } from './home.js';
import { askForToken, isAdmitted, takeTokenOfAddress } from './token.js';
import { showWatch } from './watch.js';

const WATCH = /^\/watch\/([0-9a-f-]{36})\/?$/i;

async function start(main: HTMLElement): Promise<void> {
  try {
    const config = await fetchConfig();
    if (config.needs_token && !(await isAdmitted())) {
      main.replaceChildren(askForToken(() => void start(main)));
      return;
    }
    main.replaceChildren();
    const jobId = WATCH.exec(location.pathname)?.[1];
    if (jobId) showWatch(main, jobId);
    else showHome(main, config);
  } catch (error) {
    const reason =
      error instanceof TypeError ? 'The server cannot be reached.' : String((error as Error).message);
    const again = button('Try again', 'primary', () => void start(main));
    main.replaceChildren(
      el('div', { class: 'notice', attrs: { role: 'alert' } }, el('p', {}, reason), again),
    );
  }
}

defineUploader();
takeTokenOfAddress();
void start(document.getElementById('main')!);
