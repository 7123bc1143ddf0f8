/**
 * What a subcommand is given: its own arguments, and the environment with what a running `npm start`
 * has chosen filled in. It answers with the exit status; results go to stdout, all else to stderr.
 */
export type Command = (args: string[], environment: NodeJS.ProcessEnv) => Promise<number>;

interface Entry {
  /** As the help lists it. */
  usage: string;
  does: string;
  /** Only the one that is asked for is loaded. */
  load: () => Promise<Command>;
}

/** Every subcommand of `npm run sluice`, once; in the image they stand beside the services. */
export const COMMANDS: Record<string, Entry> = {
  doctor: {
    usage: 'doctor [--json]',
    does: 'look at everything that Sluice needs, and say how to mend what is wrong',
    load: async () => (await import('#doctor')).doctor,
  },
  keys: {
    usage: 'keys create|list|rotate|revoke',
    does: 'API keys of tenants and operators, for AUTH_MODE=keys',
    load: async () => (await import('./keys.js')).keys,
  },
};
