import { ConfigError } from '#config';
import { SluiceError } from '#contracts';
import { COMMANDS } from './commands.js';

export { COMMANDS };

const WIDTH = Math.max(...Object.values(COMMANDS).map(({ usage }) => usage.length));

const HELP = `What an operator does with Sluice, beside starting it.

${Object.values(COMMANDS)
  .map(({ usage, does }) => `  npm run sluice -- ${usage.padEnd(WIDTH)}   ${does}`)
  .join('\n')}

Settings come from the environment (.env.example); what is not there, from the "npm start" that runs
here. In the image: the same words behind the image's name, like "docker run … sluice doctor".`;

/** Runs the subcommand that the first argument names; resolves with the exit status. */
export async function runCommand([name, ...args]: string[], environment: NodeJS.ProcessEnv): Promise<number> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    process.stderr.write(`There is no command ${name}; "npm run sluice -- help" lists them.\n`);
    return 2;
  }
  try {
    const command = await COMMANDS[name]!.load();
    return await command(args, environment);
  } catch (error) {
    if (error instanceof ConfigError) {
      process.stderr.write(
        `${error.message}\nGive what is missing (.env.example), or run "npm start" here first.\n`,
      );
    } else if (error instanceof SluiceError) process.stderr.write(`${error.message}\n`);
    else process.stderr.write(`${String((error as Error)?.stack ?? error)}\n`);
    return 1;
  }
}
