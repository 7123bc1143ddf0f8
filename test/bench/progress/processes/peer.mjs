/** A gateway as one writes it with Socket.IO alone: rooms, and an adapter for several processes. `peer.mjs redis|streams REDIS_URL` */
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const [kind, redisUrl] = process.argv.slice(2);
const redis = new Redis(redisUrl);
const http = createServer();
const adapter = kind === 'streams' ? createStreamsAdapter(redis) : createAdapter(redis, redis.duplicate());
const io = new Server(http, {
  adapter,
  serveClient: false,
  ...(kind === 'streams' ? { connectionStateRecovery: {} } : {}),
});
io.on('connection', (socket) => {
  socket.on('subscribe', ({ job_id }, ack) => {
    socket.join(job_id);
    ack({ ok: true });
  });
});
http.listen(0, '127.0.0.1', () => process.stdout.write(`${http.address().port}\n`));
