import type { ErrorCode } from './errors.js';
import type { EventType, Fact, JobStatus, JobView } from './events.js';
import type { Stage } from './stages.js';

/**
 * Socket.IO, client → gateway: `subscribe` with one of three. `mine`: all uploads of the person, or of the
 * tenant where a key asks; a connection follows either that or single ones.
 */
export interface SubscribeRequest {
  session_id?: string;
  job_id?: string;
  mine?: boolean;
  /** `id` of the newest durable fact that the client has of what it asks for: those after it come first. */
  last_event_id?: string;
}

/**
 * `last_event_id`: what is given with the answer is as of this fact; it is the one to come back with while
 * no later one has come. `snapshot`: of a single video.
 */
export type SubscribeAck =
  | { ok: true; snapshot?: JobView; last_event_id: string }
  | { ok: false; code: ErrorCode; message: string };

/** Sent after a subscribe without `last_event_id`, before any later fact: the state as of `seq`. */
export const SNAPSHOT_EVENT = 'snapshot';

/** What a fact of this type says for certain; the rest of Fact may be there. */
interface Certain {
  upload_progress: Required<Pick<Fact, 'bytes_received' | 'bytes_total'>>;
  processing_initiated: Required<Pick<Fact, 'renditions'>>;
  processing_completed: Required<Pick<Fact, 'result' | 'playback'>>;
  processing_failed: Required<Pick<Fact, 'code' | 'message'>>;
  upload_failed: Required<Pick<Fact, 'code' | 'message'>>;
  session_expired: Required<Pick<Fact, 'code' | 'message'>>;
}

/** A fact of one type; `Fact` is any of them. */
export type FactOf<T extends EventType> = Fact & { event_type: T } & (T extends keyof Certain
    ? Certain[T]
    : unknown);

/** Of the connection, not of a job: they have no number. */
export interface ConnectionEvents {
  heartbeat: { event_type: 'heartbeat'; version: number; timestamp: string };
  error: { event_type: 'error'; version: number; timestamp: string; code: ErrorCode; message: string };
}

/** Gateway → client, for `Socket<ServerEvents, ClientEvents>` of socket.io-client. */
export type ServerEvents = {
  [T in Exclude<EventType, keyof ConnectionEvents>]: (fact: FactOf<T>) => void;
} & { [T in keyof ConnectionEvents]: (event: ConnectionEvents[T]) => void } & {
  [SNAPSHOT_EVENT]: (view: JobView) => void;
};

export interface ClientEvents {
  subscribe: (request: SubscribeRequest, ack: (answer: SubscribeAck) => void) => void;
  unsubscribe: (request: SubscribeRequest, ack: (answer: { ok: boolean }) => void) => void;
}

/** S1-03, `GET /jobs/:id/stream`: first of all. */
export interface StreamStatus {
  job_id: string;
  status: JobStatus;
  stage: Stage;
  progress: number;
}

/** S1-03: one for each fact, with all that the fact says. Stage and progress never go back in a stream. */
export type StreamProgress = Omit<Fact, 'message'> & {
  stage: Stage;
  progress: number;
  message: string | null;
};

/** S1-03: the last one; the outcome. */
export interface StreamDone extends StreamStatus {
  result: unknown;
  error_code: ErrorCode | null;
  error_message: string | null;
  timestamp: string;
}
