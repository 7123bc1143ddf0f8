/** `npm run test:long`: tests that are `runIf` this are left out of the run after every change, for their time. */
export const isLongRun = process.env.SLUICE_TEST_LONG === '1';
