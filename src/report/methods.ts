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
 * methods of their own, labelled by what differs.
 *
 * Of two runs with the same settings and seeds the newer counts: a repeated run is no second seed. A stopped run
 * counts only where its method has no finished one.
 */
export function groupRuns(runs: readonly LoadedRun[]): { groups: RunGroup[]; leftOut: LeftOut[] } {
  const byKey = new Map<string, { method: string; runs: LoadedRun[]; settings: Settings }>();
  for (const run of runs) {
    const settings = flattenConfig(run.config);
    const key = JSON.stringify([run.summary.method, fingerprint(settings)]);
    const group = byKey.get(key) ?? { method: run.summary.method, runs: [], settings };
    group.runs.push(run);
    byKey.set(key, group);
  }
  const groups = [...byKey.values()];
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

/** Runs of two methods with the same seeds: same images, same batches, same draws, so that their difference is the method's. */
export function pairRuns(
  group: Pick<RunGroup, 'runs'>,
  other: Pick<RunGroup, 'runs'>,
): (readonly [LoadedRun, LoadedRun])[] {
  return group.runs.flatMap((run) => {
    const pair = other.runs.find(({ summary }) => seedsOf(summary) === seedsOf(run.summary));
    return pair ? [[run, pair] as const] : [];
  });
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

function uniqueLabels(groups: readonly { method: string; settings: Settings }[]): string[] {
  const taken = new Map<string, number>();
  return groups.map(({ method, settings }) => {
    const siblings = groups.filter((group) => group.method === method).map((group) => group.settings);
    const what = differencesIn(siblings)[siblings.indexOf(settings)]!.slice(0, 3).join(', ');
    const label = what === '' ? method : `${method} (${what})`;
    const times = (taken.get(label) ?? 0) + 1;
    taken.set(label, times);
    return times === 1 ? label : `${label} #${times}`;
  });
}
