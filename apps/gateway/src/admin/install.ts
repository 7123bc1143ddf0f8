import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '#contracts';
import { parseId, type ServiceContext, sendProblem, toSluiceError } from '#http';
import type { Resources } from '../resources.js';
import { installBoard } from './board.js';
import { AdminGuard } from './guard.js';
import { JOB_PAGE_POLICY, jobPage } from './job-page.js';
import { readJobWork } from './job-work.js';

/** The operator's pages: the board over the queues, and for each job the entries that it has there. */
export async function installAdmin(
  app: NestFastifyApplication,
  context: ServiceContext,
  { queues, database }: Pick<Resources, 'queues' | 'database'>,
): Promise<void> {
  const guard = new AdminGuard(context);
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  await fastify.register(async (scope) => {
    scope.addHook('onRequest', guard.check);
    await scope.register(async (inner) => installBoard(inner, queues));
    scope.get('/admin/jobs/:jobId', async (request: FastifyRequest, reply: FastifyReply) => {
      try {
        const job = await readJobWork(database, queues, parseId((request.params as { jobId: string }).jobId));
        if (!job) throw new SluiceError('job_not_found', 'There is no such job; it may have been removed.');
        reply.header('content-security-policy', JOB_PAGE_POLICY).type('text/html; charset=utf-8');
        return reply.send(jobPage(job));
      } catch (error) {
        sendProblem(request, reply, toSluiceError(error));
        return reply;
      }
    });
  });
}
