import { COPIED } from '../clips/good.js';
import { clipCases } from './clip-cases.js';

clipCases('a fit source is copied, and one that only looks fit is not', COPIED);
