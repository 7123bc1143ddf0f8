import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { QueueProducer } from '#queue';
import { roleOf } from './guard.js';

type BoardAdapter = Parameters<typeof createBullBoard>[0]['serverAdapter'];

export const BOARD_PATH = '/admin/queues';

/** The operator's board over all queues, in a scope that the guard watches. Each entry leads to its job. */
export async function installBoard(scope: FastifyInstance, queues: QueueProducer): Promise<void> {
  const server = new FastifyAdapter();
  server.setBasePath(BOARD_PATH);
  createBullBoard({
    queues: queues.all().map((queue) => new BullMQAdapter(queue, { externalJobUrl: jobLink })),
    // The two packages' releases differ in a private field's declaration only.
    serverAdapter: server as unknown as BoardAdapter,
    options: { uiConfig: { boardTitle: 'Sluice', hideRedisDetails: true } },
  });
  // One board serves all; to those who may only look it says that each of its queues is to be looked at.
  scope.addHook('preSerialization', async (request: FastifyRequest, _reply, payload: unknown) =>
    roleOf(request) === 'viewer' ? asReadOnly(payload) : payload,
  );
  await scope.register(server.registerPlugin(), { prefix: BOARD_PATH });
}

function jobLink({ data }: { data: unknown }): { displayText: string; href: string } {
  const jobId = (data as { jobId?: unknown } | null)?.jobId;
  return typeof jobId === 'string'
    ? { displayText: 'Job', href: `/admin/jobs/${encodeURIComponent(jobId)}` }
    : { displayText: 'All videos', href: '/' };
}

function asReadOnly(payload: unknown): unknown {
  if (typeof payload !== 'object' || payload === null || !('queues' in payload)) return payload;
  const { queues } = payload;
  if (!Array.isArray(queues)) return payload;
  return {
    ...payload,
    queues: queues.map((queue: object) => ({ ...queue, readOnlyMode: true, allowRetries: false })),
  };
}
