import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, ERROR_KINDS, EVENT_TYPES, kindOf, QUALITIES, STAGES } from '#contracts';
import { METRICS } from '#observability';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

describe('docs/contracts.md', () => {
  const text = read('docs/contracts.md');

  it('lists every error code under its status, and no other', () => {
    const listed = [...text.matchAll(/^\| (\d{3}) \| (.*) \|$/gm)].flatMap(([, status, codes]) =>
      [...codes!.matchAll(/`([a-z_]+)`/g)].map(([, code]) => `${status} ${code}`),
    );
    const known = ERROR_CODES.map((code) => `${ERROR_KINDS[kindOf(code)].status} ${code}`);
    expect(listed.sort()).toEqual(known.sort());
  });

  it('names every event, stage and quality', () => {
    for (const name of [...EVENT_TYPES, ...STAGES, ...QUALITIES]) expect(text).toContain(`\`${name}\``);
  });

  it('has every row of the five systems once', () => {
    const last = { S0: 19, S1: 11, S2: 7, S3: 15, S4: 8 };
    const rows = Object.entries(last).flatMap(([system, count]) =>
      Array.from({ length: count }, (_, i) => `${system}-${String(i + 1).padStart(2, '0')}`),
    );
    expect([...text.matchAll(/^\| (S\d-\d\d) \|/gm)].map(([, row]) => row)).toEqual(rows);
  });
});

describe('docs/operations.md', () => {
  it('S3-14 lists every metric with the service that has it, and every value of its labels', () => {
    const rows = [...read('docs/operations.md').matchAll(/^\| `(sluice_\w+)` \| `([\w-]+)` \| (.*) \|$/gm)];
    expect(rows.map(([, name, service]) => [name, service])).toEqual(
      Object.entries(METRICS).map(([name, { service }]) => [name, service]),
    );
    for (const [, name, , text] of rows) {
      const { labels = {} } = METRICS[name as keyof typeof METRICS] as { labels?: Record<string, string[]> };
      for (const value of name === 'sluice_vod_remux_stalls_total' ? [] : Object.values(labels).flat()) {
        expect(text).toContain(`\`${value}\``);
      }
    }
  });
});

describe('documents', () => {
  it.each([
    'README.md',
    'docs/architecture.md',
    'docs/contracts.md',
    'docs/operations.md',
    'docs/webhooks.md',
    'k8s/README.md',
  ])('%s links to what is there', (path) => {
    const base = new URL(path, root);
    const links = [...read(path).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => target!);
    for (const target of links) expect(existsSync(new URL(target, base)), target).toBe(true);
  });
});
