import { sampleCases } from './sample-cases.js';

sampleCases('every video in the folder that SLUICE_SAMPLES names', { long: false });
