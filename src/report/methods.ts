import type { LeftOut, LoadedRun } from './runs.ts';
import { differencesIn, fingerprint, flattenConfig, type Settings } from './settings.ts';

/** The runs of one method: the same settings, one run per seed. */
export interface RunGroup {
  /** Unique: the method's name, with what tells it from another of that name. */
  label: string;
  /** One or more, by seed. */
  runs: LoadedRun[];
  settings: Settings;
}

/**
 * Puts runs together that differ in their seeds only. Runs of one method's name but of different settings become
 * methods of their own, labelled by what differs; so do runs whose images differ although their seeds say that they are
 * the same.
 *
 * Of two runs with the same settings and seeds the newer counts: a repeated run is no second seed. A stopped run
 * counts only where its method has no finished one.
 *
 * @param observers - plugins that only observe: they and their options make no method
 */
export function groupRuns(
  runs: readonly LoadedRun[],
  observers: ReadonlySet<string> = new Set(),
): { groups: RunGroup[]; leftOut: LeftOut[] } {
  const byKey = new Map<string, { method: string; runs: LoadedRun[]; settings: Settings }>();
  for (const run of runs) {
    const settings = flattenConfig(run.config, observers);
    const key = JSON.stringify([run.summary.method, fingerprint(settings)]);
    const group = byKey.get(key) ?? { method: run.summary.method, runs: [], settings };
    group.runs.push(run);
    byKey.set(key, group);
  }
  const groups = [...byKey.values()].flatMap(({ runs: own, ...group }) =>
    byData(own).map((part, _, all) => ({ ...group, runs: part, ...(all.length > 1 && { data: dataOf(part[0]!) }) })),
  );
  const labels = uniqueLabels(groups);
  const leftOut: LeftOut[] = [];
  return {
    groups: groups.map(({ runs, settings }, i) => {
      const label = labels[i]!;
      return { label, runs: oneRunPerSeed(finishedRuns(runs, label, leftOut), label, leftOut), settings };
    }),
    leftOut,
  };
}

/** Runs of two methods with the same seed and images: same batches, same draws, so that their difference is the method's. */
export function pairRuns(
  group: Pick<RunGroup, 'runs'>,
  other: Pick<RunGroup, 'runs'>,
): (readonly [LoadedRun, LoadedRun])[] {
  return group.runs.flatMap((run) => {
    const pair = other.runs.find(
      ({ summary }) => summary.seed === run.summary.seed && keyOf(summary) === keyOf(run.summary),
    );
    return pair ? [[run, pair] as const] : [];
  });
}

/** Seeds that two methods have in common, and on other images. */
export function unpairedSeeds(group: Pick<RunGroup, 'runs'>, other: Pick<RunGroup, 'runs'>): number[] {
  const paired = new Set(pairRuns(group, other).map(([{ summary }]) => summary.seed));
  const seeds = new Set(other.runs.map(({ summary }) => summary.seed));
  const own = new Set(group.runs.map(({ summary }) => summary.seed));
  return [...own].filter((seed) => seeds.has(seed) && !paired.has(seed));
}

/** What a run was trained and evaluated on: by content, or for a run of an earlier version by rows. */
const keyOf = ({ subsetHash, classCounts, images }: LoadedRun['summary']): string =>
  JSON.stringify([classCounts, images ? [images.train, images.test] : subsetHash]);

/** The same, as a label has it. */
const dataOf = ({ summary: { images, subsetHash } }: LoadedRun): string => (images?.train ?? subsetHash).slice(0, 8);

/** Runs of one method, apart by their images where one seed of the choice of images stands for several sets of them. */
function byData(runs: readonly LoadedRun[]): LoadedRun[][] {
  const parts = new Map<string, LoadedRun[]>();
  const keys = new Map<number, string>();
  let isOneData = true;
  for (const run of runs) {
    const key = keyOf(run.summary);
    const { subsetSeed } = run.summary;
    if ((keys.get(subsetSeed) ?? key) !== key) isOneData = false;
    keys.set(subsetSeed, key);
    parts.set(key, [...(parts.get(key) ?? []), run]);
  }
  return isOneData ? [[...runs]] : [...parts.values()];
}

const seedsOf = ({ seed, subsetSeed }: LoadedRun['summary']): string => `${seed} ${subsetSeed}`;

function finishedRuns(runs: LoadedRun[], label: string, leftOut: LeftOut[]): LoadedRun[] {
  const finished = runs.filter(({ summary }) => summary.status === 'finished');
  if (finished.length === 0) return runs;
  for (const { path, summary } of runs) {
    if (summary.status === 'finished') continue;
    const why = summary.reason ? ` (${summary.reason})` : '';
    leftOut.push({
      path,
      reason: `stopped after epoch ${summary.lastEpoch} of ${summary.epochs}${why}; ${label} has finished runs`,
    });
  }
  return finished;
}

function oneRunPerSeed(runs: LoadedRun[], label: string, leftOut: LeftOut[]): LoadedRun[] {
  const newest = new Map<string, LoadedRun>();
  for (const run of [...runs].sort((a, b) => a.writtenAt - b.writtenAt)) {
    const seeds = seedsOf(run.summary);
    const older = newest.get(seeds);
    if (older) {
      leftOut.push({
        path: older.path,
        reason: `repeats seed ${run.summary.seed} of ${label}; the newer ${run.path} counts`,
      });
    }
    newest.set(seeds, run);
  }
  return [...newest.values()].sort(
    (a, b) => a.summary.seed - b.summary.seed || a.summary.subsetSeed - b.summary.subsetSeed,
  );
}

function uniqueLabels(groups: readonly { method: string; settings: Settings; data?: string }[]): string[] {
  const taken = new Map<string, number>();
  return groups.map(({ method, settings, data }) => {
    const siblings = groups.filter((group) => group.method === method).map((group) => group.settings);
    const differences = tellingPart(differencesIn(siblings), siblings.indexOf(settings));
    const what = [...differences, ...(data === undefined ? [] : [`images ${data}`])].join(', ');
    const label = what === '' ? method : `${method} (${what})`;
    const times = (taken.get(label) ?? 0) + 1;
    taken.set(label, times);
    return times === 1 ? label : `${label} #${times}`;
  });
}

/** As few differences, three or more where there are, as tell one from all that are told otherwise. */
function tellingPart(all: readonly string[][], place: number): string[] {
  const own = all[place]!;
  const others = all.filter((other) => other.join() !== own.join());
  let count = 3;
  while (count < own.length && others.some((other) => other.slice(0, count).join() === own.slice(0, count).join()))
    count++;
  return own.slice(0, count);
}
