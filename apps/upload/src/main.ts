import { loadEnvironment } from '#config';
import { run, startService } from '#http';
import { answerCutOffBodies } from './chunks/cut-off.js';
import { Connections } from './connections.js';
import { uploadModule } from './upload.module.js';

run(async () => {
  const environment = loadEnvironment();
  return startService({
    name: 'upload',
    port: environment.UPLOAD_PORT,
    environment,
    module: uploadModule,
    configure: (app) => answerCutOffBodies(app.getHttpServer()),
    health: (app) => app.get(Connections).check(),
  });
});
