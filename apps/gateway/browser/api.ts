import type { JobView, ProblemDetails, PublicConfig } from '#contracts';
import type { News } from './live.js';
import { bearer } from './token.js';

export async function fetchConfig(): Promise<PublicConfig> {
  const response = await fetch('/config.json', { cache: 'no-store' });
  if (!response.ok) throw new Error(`The gateway answered ${response.status}; try again in a moment.`);
  return (await response.json()) as PublicConfig;
}

/** Null when nothing can be said now: the service is away, or has answered something odd. */
export async function fetchJob(jobId: string): Promise<News | null> {
  try {
    const response = await fetch(`/jobs/${encodeURIComponent(jobId)}`, {
      cache: 'no-store',
      headers: bearer(),
    });
    if (response.ok) return { kind: 'snapshot', view: (await response.json()) as JobView };
    if (response.status !== 404 && response.status !== 400) return null;
    const problem = (await response.json()) as ProblemDetails;
    return { kind: 'gone', message: problem.detail };
  } catch {
    return null;
  }
}

/** Ends the job with its upload. Throws an Error with a sentence for the person. */
export const cancelJob = (jobId: string): Promise<JobView> => act(jobId, '', 'DELETE');

/** Has what is missing of a failed job done again. The same. */
export const retryJob = (jobId: string): Promise<JobView> => act(jobId, '/retry', 'POST');

async function act(jobId: string, path: string, method: string): Promise<JobView> {
  const response = await fetch(`/jobs/${encodeURIComponent(jobId)}${path}`, {
    method,
    headers: bearer(),
  }).catch(() => null);
  if (!response) throw new Error('The service could not be reached; try again in a moment.');
  if (response.ok) return (await response.json()) as JobView;
  const problem = (await response.json().catch(() => null)) as ProblemDetails | null;
  throw new Error(problem?.detail ?? `The gateway answered ${response.status}; try again in a moment.`);
}
