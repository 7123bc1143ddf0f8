import { readFileSync } from 'node:fs';

export interface Instruction {
  name: string;
  rest: string;
}

export interface BuildStage {
  image: string;
  name: string;
  instructions: Instruction[];
}

const text = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** The stages of a Dockerfile with their instructions; continued lines joined, arguments before FROM put in. */
export function readDockerfile(path: string): BuildStage[] {
  const lines = text(path)
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const args = new Map<string, string>();
  const stages: BuildStage[] = [];
  for (const line of lines) {
    const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? [];
    const from = /^(\S+)(?:\s+AS\s+(\S+))?$/.exec(rest);
    if (name === 'ARG' && stages.length === 0) {
      const [key, value] = rest.split('=');
      args.set(key!, value ?? '');
    } else if (name === 'FROM' && from) {
      const image = from[1]!.replace(/\$\{(\w+)\}/g, (_, key: string) => args.get(key) ?? '');
      stages.push({ image, name: from[2] ?? '', instructions: [] });
    } else {
      stages.at(-1)?.instructions.push({ name, rest: rest.replace(/\s+/g, ' ').trim() });
    }
  }
  return stages;
}

/** Sources of a COPY and, when it copies from another stage, that stage's name. */
export function copied({ rest }: Instruction): { from: string | null; sources: string[]; target: string } {
  const words = rest.split(' ');
  const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length) ?? null;
  const paths = words.filter((word) => !word.startsWith('--'));
  return { from, sources: paths.slice(0, -1), target: paths.at(-1)! };
}

/** Whether .dockerignore, which first excludes everything, lets a path of the repository into the build. */
export function reachesTheBuild(path: string): boolean {
  let included = true;
  for (const line of text('.dockerignore').split('\n')) {
    const rule = line.trim();
    if (rule === '' || rule.startsWith('#')) continue;
    const pattern = rule.replace(/^!/, '');
    if (pattern === '*' || path === pattern || path.startsWith(`${pattern}/`))
      included = rule.startsWith('!');
  }
  return included;
}
