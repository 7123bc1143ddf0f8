import { Inject, Injectable } from '@nestjs/common';
import { type JobView, SluiceError, type SubscribeRequest } from '#contracts';
import { parseId } from '#http';
import { jobTopic, sessionTopic, type Topic } from '../facts/follower.js';
import { Followers } from '../facts/followers.js';
import { JobReader } from '../jobs/job-reader.js';
import { type Client, SUBSCRIPTIONS_AT_MOST } from './client.js';

/** Subscribes without a gap: follow and hold, read the snapshot from rows, announce it, let go of what came since. */
@Injectable()
export class Subscriber {
  constructor(
    @Inject(Followers) private readonly followers: Followers,
    @Inject(JobReader) private readonly jobs: JobReader,
  ) {}

  /** A session's subscription follows its job too: facts name one session, and several may share a job. */
  async subscribe(client: Client, body: unknown, announce: (snapshot: JobView) => void): Promise<void> {
    const { topic, sessionId, jobId: given } = parseSubscription(body);
    if (!client.subscriptions.has(topic) && client.subscriptions.size >= SUBSCRIPTIONS_AT_MOST) {
      throw new SluiceError(
        'bad_request',
        `A connection follows at most ${SUBSCRIPTIONS_AT_MOST} videos; open another.`,
      );
    }
    const before = new Set(client.follower.topics);
    try {
      this.followAndHold(client, topic);
      const jobId = given ?? (await this.jobs.jobOfSession(sessionId ?? ''));
      this.followAndHold(client, jobTopic(jobId));
      const snapshot = await this.jobs.view(jobId, sessionId);
      if (!client.socket.connected) throw new SluiceError('bad_request', 'The connection is closed.');
      this.followers.log.begin(jobId, snapshot.seq);
      client.follower.release(jobId, snapshot.seq, () => announce(snapshot));
      client.subscriptions.set(topic, jobId);
    } catch (error) {
      for (const topic of [...client.follower.topics]) {
        if (!before.has(topic) || !client.socket.connected) this.followers.leave(topic, client.follower);
      }
      client.follower.resume();
      throw error;
    }
  }

  unsubscribe(client: Client, body: unknown): void {
    const { topic } = parseSubscription(body);
    const jobId = client.subscriptions.get(topic);
    client.subscriptions.delete(topic);
    if (topic.startsWith('session:')) this.followers.leave(topic, client.follower);
    if (jobId !== undefined && ![...client.subscriptions.values()].includes(jobId)) {
      this.followers.leave(jobTopic(jobId), client.follower);
    }
  }

  leave(client: Client): void {
    this.followers.leaveAll(client.follower);
  }

  private followAndHold(client: Client, topic: Topic): void {
    client.follower.hold(topic);
    this.followers.follow(topic, client.follower);
  }
}

/** Exactly one of the two ids of a SubscribeRequest. */
export function parseSubscription(body: unknown): {
  topic: Topic;
  sessionId: string | null;
  jobId: string | null;
} {
  const { session_id: session, job_id: job } = (typeof body === 'object' && body !== null ? body : {}) as {
    [K in keyof SubscribeRequest]: unknown;
  };
  if (typeof session === 'string' && job === undefined) {
    const sessionId = parseId(session);
    return { topic: sessionTopic(sessionId), sessionId, jobId: null };
  }
  if (typeof job === 'string' && session === undefined) {
    const jobId = parseId(job);
    return { topic: jobTopic(jobId), sessionId: null, jobId };
  }
  throw new SluiceError('bad_request', 'Send an object with either session_id or job_id.');
}
