import type { Child } from './child.js';

/** Every child that runs, so that none is forgotten whatever we die of. */
export class ChildRegistry {
  private readonly children = new Set<Child>();

  constructor(private readonly onChild: (name: string, pid: number) => void) {}

  readonly add = (child: Child): void => {
    this.children.add(child);
    this.onChild(child.name, child.pid);
    void child.exited.then(() => this.children.delete(child));
  };

  /** Without waiting: for the impatient, and for an exit that was not ours to plan. */
  signalAll(signal: NodeJS.Signals, names?: ReadonlySet<string>): void {
    for (const child of this.children) {
      if (names === undefined || names.has(child.name)) child.kill(signal);
    }
  }
}
