import type { Fact } from '#contracts';
import { DeliveryLog } from './delivery-log.js';
import { type Follower, type Topic, topicsOf } from './follower.js';

/**
 * Who follows what in this process. A fact comes in once and each follower of its job or its session
 * gets it once, whichever of the two it asked for.
 */
export class Followers {
  readonly log = new DeliveryLog();
  private readonly byTopic = new Map<Topic, Set<Follower>>();

  follow(topic: Topic, follower: Follower): void {
    const members = this.byTopic.get(topic) ?? new Set();
    members.add(follower);
    this.byTopic.set(topic, members);
    follower.topics.add(topic);
    const jobId = jobOf(topic);
    if (jobId) this.log.open(jobId);
  }

  leave(topic: Topic, follower: Follower): void {
    follower.topics.delete(topic);
    const jobId = jobOf(topic);
    if (jobId) follower.forget(jobId);
    const members = this.byTopic.get(topic);
    members?.delete(follower);
    if (members?.size !== 0) return;
    this.byTopic.delete(topic);
    if (jobId) this.log.close(jobId);
  }

  leaveAll(follower: Follower): void {
    for (const topic of [...follower.topics]) this.leave(topic, follower);
  }

  dispatch(fact: Fact): void {
    if (!this.log.admit(fact)) return;
    const topics = topicsOf(fact);
    const reached = new Set<Follower>();
    for (const topic of topics) {
      for (const follower of this.byTopic.get(topic) ?? []) reached.add(follower);
    }
    for (const follower of reached) follower.deliver(fact, topics);
  }
}

const jobOf = (topic: Topic): string | null => (topic.startsWith('job:') ? topic.slice('job:'.length) : null);
