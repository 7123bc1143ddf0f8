import { sampleCases } from '../pipeline/sample-cases.js';

sampleCases('the long videos in the folder that SLUICE_SAMPLES names', { long: true });
