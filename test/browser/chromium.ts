import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const CANDIDATES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

export const chromiumPath = CANDIDATES.find((path) => existsSync(path));

/** The system's browser, quiet: it asks nobody outside for anything. */
export function launch(): Promise<Browser> {
  if (!chromiumPath) throw new Error('Chromium is not installed; run `npm test`, which installs it.');
  return chromium.launch({
    executablePath: chromiumPath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export interface Visit {
  page: Page;
  /** Uncaught exceptions and what the console calls an error, refused content included. */
  troubles: string[];
  /** Addresses of all requests. */
  requests: string[];
  /** Errors of the page's players so far. */
  playerErrors(): Promise<{ fatal: boolean; details: string }[]>;
  close(): Promise<void>;
}

/** A fresh visitor with storage of its own. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const troubles: string[] = [];
  const requests: string[] = [];
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') troubles.push(`${message.text()} ${message.location().url}`);
  });
  page.on('request', (request) => requests.push(request.url()));
  await page.addInitScript(() => {
    const errors: unknown[] = [];
    Object.assign(globalThis, { playerErrors: errors });
    const document = (globalThis as unknown as { document: EventTarget }).document;
    document.addEventListener('sluice-player-error', (event) =>
      errors.push((event as Event & { detail: unknown }).detail),
    );
  });
  await page.goto(url);
  return {
    page,
    troubles,
    requests,
    playerErrors: () => page.evaluate(() => (globalThis as unknown as { playerErrors: [] }).playerErrors),
    close: () => context.close(),
  };
}
