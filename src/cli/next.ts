import { commandStart } from '../util/command-start.ts';
import { shellWord } from '../util/shell-word.ts';
import { tell } from './output.ts';

/** A command that may come next, and what it does. */
export type NextStep = readonly [command: string, does: string];

/** Tells what may come next: a remark, which `--quiet` leaves out. */
export function tellNext(...steps: readonly NextStep[]): void {
  const width = Math.max(...steps.map(([command]) => command.length));
  const lines = steps.map(([command, does], i) => `${i === 0 ? 'Next:' : '     '} ${command.padEnd(width)}  # ${does}`);
  tell(lines.join('\n'));
}

/** A command line of tailmix that can be pasted into a shell; words in capitals are left to fill in. */
export const commandLine = (...words: readonly string[]): string => [commandStart(), ...words.map(shellWord)].join(' ');
