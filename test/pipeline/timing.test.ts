import { TIMED } from '../clips/good.js';
import { clipCases } from './clip-cases.js';

clipCases('videos whose times are plain, and those whose times are strange', TIMED);
