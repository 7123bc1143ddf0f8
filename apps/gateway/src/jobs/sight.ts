import { jobWithin, reachValues } from '#access';
import { type Principal, type Reach, readsOf } from '#contracts';

/** Whose jobs somebody may see. */
export interface Sight extends Reach {
  /** Told what is for operators only. */
  isOperator: boolean;
}

export const sightOf = (principal: Principal): Sight => ({
  ...readsOf(principal),
  isOperator: principal.scopes.has('operator'),
});

/** Three parameters of `isSeen`. */
export const sightValues = reachValues;

/** SQL: true for the row `job` of jobs where `sightValues` are the parameters from `first` on. */
export const isSeen = jobWithin;
