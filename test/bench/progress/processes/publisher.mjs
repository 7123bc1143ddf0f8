/**
 * Publishes facts at a rate: `publisher.mjs ours|redis|streams REDIS_URL`, then by message
 * `{jobs, rate, seconds}`; answers with how many facts it has published, and the CPU seconds it took.
 */
import { createAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { addFact } from '#events';

const TICK_MS = 5;
const [kind, redisUrl] = process.argv.slice(2);
const redis = new Redis(redisUrl);
const numbers = new Map();
let position = 0;

/** What a segment says, as large as it is in a real job. */
function factOf(jobId) {
  const seq = (numbers.get(jobId) ?? 0) + 1;
  numbers.set(jobId, seq);
  position += 1;
  return {
    event_type: 'processing_progress',
    version: 1,
    job_id: jobId,
    session_id: jobId,
    seq,
    previous: seq - 1,
    durable: true,
    id: String(position),
    timestamp: new Date().toISOString(),
    status: 'processing',
    stage: 'transcoding',
    progress_percentage: 40,
    message: String(process.hrtime.bigint() / 1000n),
    renditions: ['720p', '480p', 'audio'].map((name) => ({
      name,
      kind: name === 'audio' ? 'audio' : 'video',
      mode: 'encode',
      width: 1280,
      height: 720,
      segments_completed: 17,
      segments_total: 40,
    })),
    speed: 1.7,
    eta_seconds: 54,
  };
}

function publisher() {
  if (kind === 'ours') {
    return (facts) => {
      const pipeline = redis.pipeline();
      for (const fact of facts) addFact(pipeline, { tenant_id: 'default', fact });
      return pipeline.exec();
    };
  }
  const adapter = kind === 'streams' ? createStreamsAdapter(redis) : createAdapter(redis, redis.duplicate());
  const io = new Server({ adapter });
  // An adapter is made with the namespace, which the first use makes.
  io.of('/');
  return (facts) => {
    for (const fact of facts) io.to(fact.job_id).emit(fact.event_type, fact);
  };
}

const publish = publisher();

process.on('message', async ({ jobs, rate, seconds }) => {
  const cpu = process.cpuUsage();
  const began = performance.now();
  let published = 0;
  while (performance.now() - began < seconds * 1000) {
    const due = Math.floor(((performance.now() - began) * rate) / 1000) - published;
    const facts = Array.from({ length: Math.max(0, due) }, (_, i) =>
      factOf(jobs[(published + i) % jobs.length]),
    );
    published += facts.length;
    if (facts.length > 0) await publish(facts);
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  const { user, system } = process.cpuUsage(cpu);
  process.send({ published, cpuSeconds: (user + system) / 1e6 });
});
process.on('disconnect', () => process.exit(0));
process.send({ ready: true });
