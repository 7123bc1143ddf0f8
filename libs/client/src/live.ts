import type { Fact, JobView, ProblemDetails } from '#contracts';
import { aborted, SluiceClientError } from './errors.js';
import { serverSentEvents } from './sse.js';

export interface FollowOptions {
  /** Base URL of the gateway. */
  gatewayUrl: string;
  /** One of the two, or neither: then all uploads that are the caller's own. */
  jobId?: string;
  sessionId?: string;
  /** Of the last event that was seen before: what came after it is told first. */
  lastEventId?: string;
  /** Asked before each connection; null: none is sent. */
  getToken?: () => Promise<string | null> | string | null;
  signal?: AbortSignal;
  /** Milliseconds after which a silent line is dead: at least two heartbeats of the gateway; 75,000 by default. */
  silenceMs?: number;
  /** The line has come about, or was lost; then the client comes back by itself. */
  onConnection?(up: boolean): void;
  fetch?: typeof fetch;
}

/** `snapshot`: the state of one video when nothing was known before. Facts after it: each durable one once, in order. */
export type LiveEvent =
  | { kind: 'snapshot'; view: JobView; lastEventId: string | null }
  | { kind: 'ready'; lastEventId: string | null }
  | { kind: 'fact'; fact: Fact; lastEventId: string | null };

/** Two and a half heartbeats, as the gateway sends them unless it is told otherwise. */
const SILENCE_MS = 75_000;
const PAUSE_MS = { first: 500, most: 10_000 };
/** Answers after which coming back can help. */
const isPassing = (status: number) => status === 408 || status === 429 || status >= 500;

/**
 * Follows one video, or all of one's own, over any number of lost connections: every durable fact once and in
 * order, and the newest progress. Ends when the signal says so, with `aborted`, or with what the gateway refuses.
 */
export async function* follow(options: FollowOptions): AsyncGenerator<LiveEvent, never> {
  let lastEventId = options.lastEventId ?? null;
  let pauseMs = PAUSE_MS.first;
  for (;;) {
    try {
      for await (const { event, id, data } of connect(options, lastEventId)) {
        pauseMs = PAUSE_MS.first;
        lastEventId = id ?? lastEventId;
        if (event === 'snapshot') yield { kind: 'snapshot', view: JSON.parse(data) as JobView, lastEventId };
        else if (event === 'ready') yield { kind: 'ready', lastEventId };
        else yield { kind: 'fact', fact: JSON.parse(data) as Fact, lastEventId };
      }
    } catch (error) {
      if (options.signal?.aborted) throw aborted(options.signal.reason);
      if (error instanceof SluiceClientError && error.code !== 'network' && !isPassing(error.status))
        throw error;
    }
    options.onConnection?.(false);
    await pause(pauseMs * (0.5 + Math.random()), options.signal);
    pauseMs = Math.min(pauseMs * 2, PAUSE_MS.most);
  }
}

/** One connection, to its end. */
async function* connect(options: FollowOptions, lastEventId: string | null) {
  const {
    gatewayUrl,
    jobId,
    sessionId,
    signal,
    getToken,
    silenceMs = SILENCE_MS,
    fetch = globalThis.fetch,
  } = options;
  const ending = new AbortController();
  const end = () => ending.abort();
  signal?.addEventListener('abort', end, { once: true });
  if (signal?.aborted) end();
  let silence = setTimeout(end, silenceMs);
  try {
    const token = (await getToken?.()) ?? null;
    const query = new URLSearchParams(
      jobId !== undefined ? { job_id: jobId } : sessionId !== undefined ? { session_id: sessionId } : {},
    );
    const response = await fetch(`${gatewayUrl.replace(/\/+$/, '')}/events?${query}`, {
      headers: {
        accept: 'text/event-stream',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }),
      },
      signal: ending.signal,
    });
    if (!response.ok || !response.body) throw await refusal(response);
    options.onConnection?.(true);
    yield* serverSentEvents(response.body, () => {
      clearTimeout(silence);
      silence = setTimeout(end, silenceMs);
    });
  } finally {
    clearTimeout(silence);
    signal?.removeEventListener('abort', end);
    end();
  }
}

async function refusal(response: Response): Promise<SluiceClientError> {
  const problem = (await response.json().catch(() => null)) as Partial<ProblemDetails> | null;
  const code = problem?.code ?? 'bad_answer';
  const message =
    problem?.detail ?? `The gateway answered with status ${response.status} and nothing we know.`;
  return new SluiceClientError(code, message, { status: response.status });
}

/** Resolves after `ms`, or at once when the signal is aborted: the next connection says so. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
}
