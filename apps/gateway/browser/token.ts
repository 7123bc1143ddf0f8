import { button, el } from './dom.js';

const STORED = 'sluice.token';

/** Of this tab alone: an API key or an upload token; null where the gateway asks for none. */
export function getToken(): string | null {
  try {
    return sessionStorage.getItem(STORED);
  } catch {
    return null;
  }
}

function keep(token: string): void {
  try {
    sessionStorage.setItem(STORED, token);
  } catch {
    // Without a store the page asks again when it is loaded again.
  }
}

export const bearer = (): Record<string, string> => {
  const token = getToken();
  return token === null ? {} : { authorization: `Bearer ${token}` };
};

/** `#token=…` of the address, which never reaches a server, and does not stay in the history. */
export function takeTokenOfAddress(): void {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!token) return;
  keep(token);
  history.replaceState(null, '', location.pathname + location.search);
}

/** Whether the gateway takes what is stored here. */
export async function isAdmitted(): Promise<boolean> {
  const response = await fetch('/jobs?limit=1', { cache: 'no-store', headers: bearer() });
  return response.status !== 401;
}

/** Asks the person for a key or token; `then` tries it. Says so when the one that is stored was not taken. */
export function askForToken(then: () => void): HTMLElement {
  const refused =
    getToken() === null
      ? null
      : el(
          'p',
          { class: 'refused', attrs: { role: 'alert' } },
          'That one was not taken: it may be mistyped, expired or revoked.',
        );
  const input = el('input', {
    attrs: { type: 'password', autocomplete: 'off', 'aria-label': 'API key or upload token', required: '' },
  });
  const form = el(
    'form',
    { class: 'notice' },
    el('p', {}, 'This service asks who you are. Give an API key or an upload token; this tab keeps it.'),
    refused,
    input,
    button('Go on', 'primary', () => form.requestSubmit()),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (input.value.trim() === '') return;
    keep(input.value.trim());
    then();
  });
  return form;
}
