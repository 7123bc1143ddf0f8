import { OVERLAPPED } from '../clips/good.js';
import { playsWhileItArrives } from './plays.js';

playsWhileItArrives(OVERLAPPED);
