import { io } from 'socket.io-client';
import { EVENT_TYPES, type Fact, type JobView, SNAPSHOT_EVENT, type SubscribeAck } from '#contracts';

export interface FactsOptions {
  gatewayUrl: string;
  onFact: (fact: Fact) => void;
  onView: (view: JobView) => void;
}

export interface FactsConnection {
  /** From now on, and again after every reconnection. */
  subscribe(jobId: string): void;
  unsubscribe(jobId: string): void;
  close(): void;
}

/** The live facts of jobs. They may be missed (a gateway that restarts): whoever needs to be sure asks `fetchView` too. */
export function connectFacts({ gatewayUrl, onFact, onView }: FactsOptions): FactsConnection {
  const socket = io(gatewayUrl, { transports: ['websocket'], reconnectionDelayMax: 2000 });
  const wanted = new Set<string>();
  const ask = (jobId: string) => {
    socket.emit('subscribe', { job_id: jobId }, (answer: SubscribeAck) => {
      if (answer?.ok && answer.snapshot) onView(answer.snapshot);
    });
  };
  socket.on('connect', () => wanted.forEach(ask));
  socket.on(SNAPSHOT_EVENT, (view: JobView) => onView(view));
  for (const type of EVENT_TYPES) socket.on(type, (fact: Fact) => onFact(fact));
  return {
    subscribe(jobId) {
      wanted.add(jobId);
      if (socket.connected) ask(jobId);
    },
    unsubscribe: (jobId) => void wanted.delete(jobId),
    close: () => void socket.close(),
  };
}

const ASK_TIMEOUT_MS = 5000;

/** `GET /jobs/:id`; null when it cannot be had now. */
export async function fetchView(gatewayUrl: string, jobId: string): Promise<JobView | null> {
  try {
    const response = await fetch(`${gatewayUrl}/jobs/${jobId}`, {
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
    });
    if (!response.ok) return null;
    const body = (await response.json()) as JobView & { data?: JobView };
    return body.data ?? body;
  } catch {
    return null;
  }
}
