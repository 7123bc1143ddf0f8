import type { Payload } from './payload.js';

export interface Sent {
  /** What the server says, or a reading of what it stored. */
  sha256: string;
  /** From the last chunk's confirmation to a complete file with its SHA-256; null where it does not apply. */
  completeMs: number | null;
}

/** A server that takes uploads, in a process of its own. */
export interface Contender {
  name: string;
  /** Processes whose CPU counts. */
  roots: number[];
  /** The process whose memory counts. */
  pid: number;
  /** Returns when the server has the whole file (and, where it makes one, its hash). */
  upload(payload: Payload): Promise<void>;
  /** After the clock has stopped: SHA-256 of what is stored, and what is stored is removed. */
  settle(): Promise<Sent>;
  stop(): Promise<void>;
}
