import type { FastifyInstance } from 'fastify';
import { Authenticator } from '#access';
import { loadEnvironment } from '#config';
import { run, startService } from '#http';
import { DataSource } from '#persistence';
import { allowLargeBatches } from './batch/request-size.js';
import { answerCutOffBodies } from './chunks/cut-off.js';
import { Connections } from './connections.js';
import { UploadSettings } from './settings.js';
import { TusDoor } from './tus/door.js';
import { TUS_CORS } from './tus/protocol.js';
import { installTus, spokenMethod } from './tus/routes.js';
import { uploadModule } from './upload.module.js';

run(async () => {
  const environment = loadEnvironment();
  const authenticator = new Authenticator(environment);
  return startService({
    name: 'upload',
    port: environment.UPLOAD_PORT,
    environment,
    module: uploadModule,
    cors: TUS_CORS,
    authenticate: authenticator.authenticate,
    publicRoutes: ['OPTIONS /files/', 'OPTIONS /files/:id'],
    limits: (method, path, headers) =>
      ['PUT', 'PATCH'].includes(spokenMethod(method, path, headers)) ? 'bytes' : 'ordinary',
    configure: (app, { logger }) => {
      authenticator.use(app.get(DataSource));
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
