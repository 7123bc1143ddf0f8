import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '#contracts';
import { type ServiceContext, sendProblem } from '#http';
import type { QueueProducer } from '#queue';

type BoardAdapter = Parameters<typeof createBullBoard>[0]['serverAdapter'];

const BOARD_PATH = '/admin/queues';

/**
 * The operator's board over all queues. It may change them only where nobody but this machine's user
 * reaches it; elsewhere it shows.
 */
export async function installBoard(
  app: NestFastifyApplication,
  { access }: ServiceContext,
  queues: QueueProducer,
): Promise<void> {
  const server = new FastifyAdapter();
  server.setBasePath(BOARD_PATH);
  createBullBoard({
    queues: queues.all().map((queue) => new BullMQAdapter(queue, { readOnlyMode: !access.loopback })),
    // The two packages' releases differ in a private field's declaration only.
    serverAdapter: server as unknown as BoardAdapter,
    options: { uiConfig: { boardTitle: 'Sluice', hideRedisDetails: true } },
  });
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  await fastify.register(async (scope) => {
    scope.addHook('onRequest', refuseStrangers);
    await scope.register(server.registerPlugin(), { prefix: BOARD_PATH });
  });
}

/**
 * The board has no protection against forged requests of its own: pages elsewhere get nothing, not
 * even those of ALLOWED_ORIGINS, and what changes something must come from the board's own page.
 */
async function refuseStrangers(
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  reply.header('x-frame-options', 'DENY');
  const { origin, host } = request.headers;
  const reads = request.method === 'GET' || request.method === 'HEAD';
  if (origin === undefined ? reads : isSameOrigin(origin, host)) return undefined;
  const refusal = new SluiceError(
    'origin_not_allowed',
    "Only the board's own page may do this; open it in the browser.",
  );
  sendProblem(request, reply, refusal);
  return reply;
}

function isSameOrigin(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
