import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Locator, Page } from 'playwright-core';

/** A moving picture with sound, in a form that has to be encoded anew (a GOP longer than may be copied). */
export async function makeClip(path: string, seconds: number, size: string): Promise<Buffer> {
  const source = `testsrc2=size=${size}:rate=30:duration=${seconds}`;
  const ffmpeg = spawn(
    'ffmpeg',
    [
      ...['-v', 'error', '-y', '-f', 'lavfi', '-i', source],
      ...['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '600'],
      ...['-c:a', 'aac', '-b:a', '96k', '-shortest', path],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const [code] = await once(ffmpeg, 'exit');
  if (code !== 0) throw new Error(`ffmpeg could not make the clip: exit status ${code}`);
  return readFile(path);
}

/** Lets a file fall on the uploader, as a person's hand would. */
export async function drop(page: Page, name: string, content: Buffer): Promise<void> {
  const data = await page.evaluateHandle(
    ([fileName, base64]) => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const transfer = Reflect.construct(Reflect.get(globalThis, 'DataTransfer'), []) as {
        items: { add(file: File): void };
      };
      transfer.items.add(new File([bytes], fileName, { type: 'video/mp4' }));
      return transfer;
    },
    [name, content.toString('base64')] as const,
  );
  await page.locator('sluice-uploader .zone').dispatchEvent('drop', { dataTransfer: data });
}

/** The card of a video, by the name of its file. */
export function cardOf(page: Page, name: string): Locator {
  return page.getByRole('article', { name, exact: true });
}

export const currentTime = (card: Locator): Promise<number> =>
  card.locator('video').evaluate((video) => Reflect.get(video, 'currentTime') as number);

export const ended = (card: Locator): Promise<boolean> =>
  card.locator('video').evaluate((video) => Reflect.get(video, 'ended') as boolean);

/** A test need not watch in real time. */
export const hasten = (card: Locator): Promise<void> =>
  card.locator('video').evaluate((video) => void Reflect.set(video, 'playbackRate', 2));

/** Reads every progress bar of a card: its label and its value, null where it has none. */
export async function bars(card: Locator): Promise<Map<string, number | null>> {
  const found = await card
    .getByRole('progressbar')
    .evaluateAll((elements) =>
      elements.map((element) => [element.getAttribute('aria-label'), element.getAttribute('aria-valuenow')]),
    );
  return new Map(
    found.map(([label, value]) => [
      label ?? '',
      value === null || value === undefined ? null : Number(value),
    ]),
  );
}
