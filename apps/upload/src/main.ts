import type { FastifyInstance } from 'fastify';
import { loadEnvironment } from '#config';
import { run, startService } from '#http';
import { allowLargeBatches } from './batch/request-size.js';
import { answerCutOffBodies } from './chunks/cut-off.js';
import { Connections } from './connections.js';
import { UploadSettings } from './settings.js';
import { TusDoor } from './tus/door.js';
import { TUS_CORS } from './tus/protocol.js';
import { installTus } from './tus/routes.js';
import { uploadModule } from './upload.module.js';

run(async () => {
  const environment = loadEnvironment();
  return startService({
    name: 'upload',
    port: environment.UPLOAD_PORT,
    environment,
    module: uploadModule,
    cors: TUS_CORS,
    configure: (app, { logger }) => {
      answerCutOffBodies(app.getHttpServer());
      const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
      allowLargeBatches(fastify);
      installTus(fastify, {
        door: app.get(TusDoor),
        settings: app.get(UploadSettings),
        logger,
      });
    },
    health: (app) => app.get(Connections).check(),
  });
});
