import { displayPath } from '../../errors.ts';
import { freeze, plannedOf } from '../../sweep/frozen.ts';
import { progressOf, type RunProgress } from '../../sweep/status.ts';
import { context } from '../context.ts';
import { print, printJson, tell } from '../output.ts';
import type { SweepCommandOptions } from '../sweep.ts';
import { expandFiles, freezable, type Opened, openFrozen, planGrid } from './grid.ts';

/** A run as `--list --json` shows it. */
export interface ListedRun extends RunProgress {
  /** For `--run`, as its `id`: its number in the grid. */
  index: number;
  id: string;
  label: string;
  directory: string;
}

/** `tailmix sweep --list`: freezes the grid as its files are now, and shows its runs. */
export async function list(paths: readonly string[], options: SweepCommandOptions): Promise<number> {
  const opened = await frozenNow(paths, options);
  const runs = await listed(opened);
  if (options.json) printJson(documentOf(opened, runs));
  else {
    const width = Math.max(...runs.map(({ id }) => id.length));
    for (const { id, state } of runs) print(`${id.padEnd(width)}  ${state}`);
    tell(`${countOf(runs)}, in ${displayPath(opened.out)}`);
  }
  return 0;
}

/** Freezes the grid of files as they are now; without files, what is frozen. */
async function frozenNow(paths: readonly string[], options: SweepCommandOptions): Promise<Opened> {
  if (paths.length === 0 && options.out !== undefined) return (await openFrozen(paths, options, '--list'))!;
  const grid = await expandFiles(paths, options);
  await planGrid(grid, options);
  return { out: grid.out, sweep: await freeze(grid.out, await freezable(grid, options), grid.runs, { context }) };
}

const listed = ({ out, sweep }: Opened): Promise<ListedRun[]> =>
  Promise.all(
    sweep.runs.map(async (frozen, index) => {
      const run = plannedOf(out, frozen);
      const { id, label } = frozen;
      return { index, id, label, directory: run.directory, ...(await progressOf(run, context)) };
    }),
  );

const documentOf = ({ out, sweep: { id, name, backend, threads } }: Opened, runs: readonly object[]): object => ({
  id,
  name,
  out,
  backend,
  threads,
  runs,
});

/** `8 runs: 5 finished, 3 new`. */
function countOf(runs: readonly { state: string }[]): string {
  const states = [...new Set(runs.map(({ state }) => state))];
  const counts = states.map((state) => `${runs.filter((run) => run.state === state).length} ${state}`);
  return `${runs.length} ${runs.length === 1 ? 'run' : 'runs'}: ${counts.join(', ')}`;
}
