import { loadEnvironment } from '#config';
import { run } from '#http';
import { startGateway } from './gateway.js';

run(() => startGateway(loadEnvironment()));
