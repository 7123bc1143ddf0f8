import { loadEnvironment } from '#config';
import { run } from '#http';
import { startSegmentUpload } from './segment-upload.js';

run(() => startSegmentUpload(loadEnvironment()));
