import { OVERLAPPED_MORE } from '../clips/good.js';
import { playsWhileItArrives } from '../overlap/plays.js';

playsWhileItArrives(OVERLAPPED_MORE);
