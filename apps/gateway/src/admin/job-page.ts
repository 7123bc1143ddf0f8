import { BOARD_PATH } from './board.js';
import type { JobWork, Work } from './job-work.js';

const STYLE = `body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color-scheme:light dark}
table{border-collapse:collapse;margin-top:1rem}th,td{text-align:left;padding:.25rem .75rem;border-bottom:1px solid #8884}
td{font-variant-numeric:tabular-nums}code{font-size:.95em}`;

/** Nothing on the page runs, loads or is sent anywhere. */
export const JOB_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/** What a job consists of, and the entries that the queues have of it, each with its page on the board. */
export function jobPage({ work, ...job }: JobWork): string {
  const heads = ['work', 'state', 'begun', 'unclean deaths', 'worker', 'queue', 'entry', 'error'];
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Job ${asText(job.id)} · Sluice</title>
<style>${STYLE}</style></head><body>
<p><a href="${BOARD_PATH}">All queues</a> · <a href="/watch/${asText(job.id)}">What its uploader sees</a></p>
<h1>Job <code>${asText(job.id)}</code></h1>
<p>tenant ${asText(job.tenantId)} · ${asText(job.status)} · ${asText(job.stage)} · ${asText(job.progress)} %
${job.error === null ? '' : `<br>${asText(job.error)}`}</p>
<table><thead><tr>${heads.map((head) => `<th>${head}</th>`).join('')}</tr></thead>
<tbody>${work.map(line).join('\n')}</tbody></table></body></html>`;
}

function line(work: Work): string {
  const { what, status, attempts, uncleanDeaths, owner, queue, entryId, entryState, error } = work;
  const cells = [what, status, attempts, uncleanDeaths, owner, queue].map((value) => asText(value ?? ''));
  const entry =
    entryState === 'unknown'
      ? ''
      : `<a href="${BOARD_PATH}/queue/${asText(queue)}/${asText(encodeURIComponent(entryId))}">${asText(entryState)}</a>`;
  return `<tr>${[...cells, entry, asText(error ?? '')].map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const asText = (value: string | number): string =>
  String(value).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
