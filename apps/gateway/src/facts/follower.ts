import { type Fact, SluiceError } from '#contracts';

export type Topic = `job:${string}` | `session:${string}`;
export const jobTopic = (id: string): Topic => `job:${id}`;
export const sessionTopic = (id: string): Topic => `session:${id}`;

export const topicsOf = (fact: Fact): Topic[] =>
  fact.session_id === null ? [jobTopic(fact.job_id)] : [jobTopic(fact.job_id), sessionTopic(fact.session_id)];

/** Facts that may wait for one snapshot; a read takes milliseconds and a job makes a few facts a second. */
const HELD_AT_MOST = 1000;

/**
 * One client's side of the promise "a snapshot, then every later fact once": while a snapshot is
 * read its topics are held; what arrives meanwhile comes out afterwards, without what the snapshot
 * already says. A fact may reach us after a snapshot that contains it (it is published after its
 * commit), so the snapshot's number stays the floor of its job.
 */
export class Follower {
  readonly topics = new Set<Topic>();
  private readonly floors = new Map<string, number>();
  private held: { topics: Set<Topic>; facts: Fact[]; overflowed: boolean } | null = null;

  constructor(private readonly send: (fact: Fact) => void) {}

  deliver(fact: Fact, topics: Topic[]): void {
    if (this.held && topics.some((topic) => this.held?.topics.has(topic))) {
      if (this.held.facts.length < HELD_AT_MOST) this.held.facts.push(fact);
      else this.held.overflowed = true;
      return;
    }
    if (!this.isCovered(fact)) this.send(fact);
  }

  /** Holds a topic back, from before the snapshot is read. One snapshot at a time. */
  hold(topic: Topic): void {
    this.held ??= { topics: new Set(), facts: [], overflowed: false };
    this.held.topics.add(topic);
  }

  /** Call `announce` with a snapshot as of `seq` in hand: it goes out first, what was held follows. */
  release(jobId: string, seq: number, announce: () => void): void {
    if (this.held?.overflowed) {
      throw new SluiceError('unavailable', 'Too much happened while the state was read; subscribe again.');
    }
    this.floors.set(jobId, seq);
    announce();
    this.resume();
  }

  /** Lets go of what is held, in order. Harmless when nothing is. */
  resume(): void {
    const facts = this.held?.facts ?? [];
    this.held = null;
    for (const fact of facts) {
      if (topicsOf(fact).some((topic) => this.topics.has(topic)) && !this.isCovered(fact)) this.send(fact);
    }
  }

  forget(jobId: string): void {
    this.floors.delete(jobId);
  }

  /** Progress is state: older than the snapshot it would go back, of the same number it may be newer. */
  private isCovered(fact: Fact): boolean {
    const floor = this.floors.get(fact.job_id);
    if (floor === undefined) return false;
    return fact.durable ? fact.seq <= floor : fact.seq < floor;
  }
}
