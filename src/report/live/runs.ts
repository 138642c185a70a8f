import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { median } from '../../metrics/statistics.ts';
import { summarizeEpochs } from '../../metrics/summary.ts';
import type { EpochMetrics } from '../../metrics/types.ts';
import { isOwned } from '../../tracking/ownership.ts';
import { readEpochs } from '../../tracking/run-directory.ts';
import { runFiles } from '../../tracking/run-files.ts';
import { epochsOf } from '../../train/run-epochs.ts';
import { findRuns, type LoadedRun, loadRuns } from '../runs.ts';

/** A run as it stands. */
export interface LiveRun {
  directory: string;
  name: string;
  method: string;
  seed: number;
  state: 'running' | 'finished' | 'stopped' | 'failed' | 'unfinished';
  /** Why it stopped or failed, or cannot be read. */
  reason: string | null;
  /** Epochs that it has trained, of how many. */
  epoch: number;
  epochs: number;
  /** Of the last epoch. */
  loss: number | null;
  /** Seconds to go, by the median epoch; null where that is not known. */
  secondsLeft: number | null;
  /** As the report reads it; while it trains, with what there is. Null before its first evaluation. */
  loaded: LoadedRun | null;
}

const count = z.number().int().min(0);
const config = z.looseObject({
  name: z.string(),
  method: z.string(),
  seed: z.number(),
  train: z.looseObject({ epochs: count }),
  phases: z.array(z.looseObject({ epochs: count.optional() })).optional(),
  evaluate: z.looseObject({ groups: z.object({ manyAbove: z.number(), fewBelow: z.number() }) }),
});
const subset = z.looseObject({
  dataset: z.string(),
  seed: z.number(),
  hash: z.string(),
  images: z.object({ train: z.string(), validation: z.string().nullable(), test: z.string() }).optional(),
  classes: z.array(z.string()).min(1),
  classCounts: z.array(count),
});

/**
 * Runs of a folder as they stand, in the order of their folders; those that have not written their config are left out.
 *
 * @param before - as they stood: what has finished is not read again
 */
export async function readLive(folder: string, before: readonly LiveRun[] = []): Promise<LiveRun[]> {
  const finished = new Map(before.filter(({ state }) => state === 'finished').map((run) => [run.directory, run]));
  const runs: LiveRun[] = [];
  for (const directory of await findRuns(folder).catch(() => [])) {
    const run = finished.get(directory) ?? (await readRun(directory).catch(() => null));
    if (run) runs.push(run);
  }
  return runs;
}

async function readRun(directory: string): Promise<LiveRun | null> {
  const text = await readFile(join(directory, runFiles.config), 'utf8');
  const parsed: unknown = parse(text);
  const settings = config.parse(parsed);
  const owned = await isOwned(directory);
  const lines = await readEpochs(directory).catch((): EpochMetrics[] => []);
  // A summary of a run that is being trained is from before it was resumed.
  const { runs, leftOut } = owned ? { runs: [], leftOut: [] } : await loadRuns([directory]);
  const [ended] = runs;
  const reason = leftOut[0]?.reason ?? ended?.summary.reason ?? null;
  const state = owned ? 'running' : (ended?.summary.status ?? (reason?.startsWith('failed') ? 'failed' : 'unfinished'));
  const epochs = ended?.summary.epochs ?? epochsOf(settings);
  const last = lines.at(-1);
  return {
    directory,
    ...{ name: settings.name, method: settings.method, seed: settings.seed },
    state,
    reason: state === 'stopped' || state === 'failed' ? reason : null,
    epoch: last?.epoch ?? 0,
    epochs,
    loss: last?.train.loss ?? null,
    secondsLeft:
      state === 'running' && last ? (epochs - last.epoch) * median(lines.map(({ seconds }) => seconds)) : null,
    loaded: ended ?? (await provisional(directory, settings, { parsed, text, lines, epochs })),
  };
}

/** A run that has no summary yet, as if it had ended with its last evaluated epoch; null before the first. */
async function provisional(
  path: string,
  { name, method, seed, evaluate }: z.output<typeof config>,
  { parsed, text, lines, epochs }: { parsed: unknown; text: string; lines: EpochMetrics[]; epochs: number },
): Promise<LoadedRun | null> {
  const { last, ...figures } = summarizeEpochs(lines);
  if (!last) return null;
  const about = subset.parse(JSON.parse(await readFile(join(path, runFiles.subset), 'utf8')));
  return {
    path,
    summary: {
      ...{ name, method, seed, epochs, groups: evaluate.groups },
      ...{ dataset: about.dataset, classes: about.classes, classCounts: about.classCounts },
      ...{ subsetSeed: about.seed, subsetHash: about.hash, ...(about.images && { images: about.images }) },
      ...{ configHash: '', status: 'stopped', reason: null, last, ...figures },
      ...{ backend: '', stepMode: 'captured', stepModeReason: null, precision: 'fp32', precisionReason: null },
      seconds: lines.reduce((sum, { seconds }) => sum + seconds, 0),
      tailmix: '',
    },
    epochs: lines,
    config: parsed,
    configText: text,
    notes: [],
    writtenAt: 0,
    logits: null,
  };
}
