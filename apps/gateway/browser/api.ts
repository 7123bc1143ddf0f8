import type { JobView, ProblemDetails, PublicConfig } from '#contracts';
import type { News } from './live.js';

export async function fetchConfig(): Promise<PublicConfig> {
  const response = await fetch('/config.json', { cache: 'no-store' });
  if (!response.ok) throw new Error(`The gateway answered ${response.status}; try again in a moment.`);
  return (await response.json()) as PublicConfig;
}

/** Null when nothing can be said now: the service is away, or has answered something odd. */
export async function fetchJob(jobId: string): Promise<News | null> {
  try {
    const response = await fetch(`/jobs/${encodeURIComponent(jobId)}`, { cache: 'no-store' });
    if (response.ok) return { kind: 'snapshot', view: (await response.json()) as JobView };
    if (response.status !== 404 && response.status !== 400) return null;
    const problem = (await response.json()) as ProblemDetails;
    return { kind: 'gone', message: problem.detail };
  } catch {
    return null;
  }
}
