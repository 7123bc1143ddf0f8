/** One line for a person. Progress goes to stderr, so that stdout holds only results. */
export const say = (text) => process.stderr.write(`${text}\n`);

/** Ends the command with a sentence that says what to do. */
export class Refusal extends Error {
  constructor(message, status = 1) {
    super(message);
    this.status = status;
  }
}

/** Runs a command's main function: a Refusal is printed as it is, anything else with its stack. */
export async function main(body) {
  try {
    process.exitCode = await body();
  } catch (error) {
    say(error instanceof Refusal ? error.message : error?.stack || String(error));
    process.exitCode = error instanceof Refusal ? error.status : 1;
  }
}
