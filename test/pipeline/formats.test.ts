import { CONTAINED, SHAPED } from '../clips/good.js';
import { clipCases } from './clip-cases.js';

clipCases('S3-05 pictures, sounds and containers of all kinds', [...SHAPED, ...CONTAINED]);
