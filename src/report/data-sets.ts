import { z } from 'zod';
import type { LoadedRun } from './runs.ts';

/** Runs that one table can compare. */
export interface DataSetRuns {
  /** `cifar10 exp 100`: as short as it may be to tell it from the others. */
  name: string;
  /** Name of the images, whatever their long tail. */
  dataset: string;
  runs: LoadedRun[];
}

const tail = z.object({
  data: z.looseObject({
    profile: z.unknown().optional(),
    ratio: z.unknown().optional(),
    mu: z.unknown().optional(),
  }),
});

/** What a config makes of the long tail: `exp 100`; empty where that is not known. */
function tailOf({ config }: LoadedRun): string {
  const { data } = tail.safeParse(config).data ?? {};
  const parts = [data?.profile, data?.ratio, data?.mu].filter((part) => part !== undefined && part !== null);
  return parts.join(' ');
}

/** Puts runs apart that no table can compare: by data set, classes and long tail, in the order in which they come. */
export function byDataSet(runs: readonly LoadedRun[]): DataSetRuns[] {
  const found = new Map<string, { dataset: string; tail: string; runs: LoadedRun[] }>();
  for (const run of runs) {
    const { dataset, classes } = run.summary;
    const own = tailOf(run);
    const key = JSON.stringify([dataset, classes, own]);
    if (!found.has(key)) found.set(key, { dataset, tail: own, runs: [] });
    found.get(key)!.runs.push(run);
  }
  const all = [...found.values()];
  const names = all.map(({ dataset, tail }) =>
    all.filter((other) => other.dataset === dataset).length === 1 || tail === '' ? dataset : `${dataset} ${tail}`,
  );
  return all.map(({ dataset, runs: own }, i) => {
    const before = names.slice(0, i).filter((name) => name === names[i]).length;
    return { name: before === 0 ? names[i]! : `${names[i]} #${before + 1}`, dataset, runs: own };
  });
}
