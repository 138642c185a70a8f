import { percentileInterval, RESAMPLES, resampledDifferences } from '../metrics/bootstrap.ts';
import { keptTable } from '../metrics/logits.ts';
import { mean } from '../metrics/statistics.ts';
import { readLogits } from '../tracking/logits-file.ts';
import { sealOf } from '../tracking/seal.ts';
import type { Comparison, MethodResult } from './compare.ts';
import { pairRuns } from './methods.ts';
import type { LoadedRun } from './runs.ts';

/** What the choice of test images leaves open of a difference in balanced accuracy, with the runs as they are. */
export interface ImageIntervals {
  /** 95 % bootstrap interval of the mean difference; null where the seeds were not tested on the same images. */
  interval: readonly [number, number] | null;
  /** The same of each seed. */
  seeds: readonly { seed: number; difference: number; interval: readonly [number, number] }[];
  resamples: number;
}

/** Most bytes of logits that a report reads. */
const MOST_BYTES = 4 * 2 ** 30;

/** Rightly classified images of a run. */
interface Judged {
  /** `[N]`, 1 for right. */
  right: Uint8Array;
  /** `[N]`. */
  labels: Int32Array;
  /** Which images, in which order. */
  key: string;
}

/**
 * Puts bootstrap intervals over the test images to the paired differences, as far as the runs have kept the logits of their last
 * evaluation. What cannot be read, and what would be more than 4 GiB, is left out with a warning.
 */
export async function withImageIntervals(comparison: Comparison): Promise<Comparison> {
  const [baseline, ...others] = comparison.methods;
  const pairs = others.map((method) => (method.difference ? pairRuns(method, baseline!) : []));
  const wanted = new Set(pairs.flat(2).filter(({ logits }) => logits !== null));
  const bytes = [...wanted].reduce((sum, { logits }) => sum + logits!.bytes, 0);
  if (wanted.size === 0) return comparison;
  if (bytes > MOST_BYTES) {
    const size = `${(bytes / 2 ** 30).toFixed(1)} GiB`;
    return warned(comparison, [
      `No intervals over test images: the logits of these runs are ${size}, more than 4 GiB.`,
    ]);
  }
  const judged = new Map<LoadedRun, Judged>();
  const unread: string[] = [];
  for (const run of wanted) {
    const own = await judge(run).catch((error: Error) => void unread.push(error.message));
    if (own) judged.set(run, own);
  }
  const tested = pairs.map((own) =>
    own.flatMap(([run, other]) => {
      const [ours, theirs] = [judged.get(run), judged.get(other)];
      if (!ours || !theirs || ours.key !== theirs.key) return [];
      const difference = run.summary.last.balancedAccuracy - other.summary.last.balancedAccuracy;
      return [{ seed: run.summary.seed, difference, ours, theirs }];
    }),
  );
  const resampled = resampledByImages(tested.flat());
  const methods = others.map((method, i): MethodResult => {
    const own = tested[i]!;
    if (own.length === 0 || !method.difference) return method;
    const isSame = own.length === pairs[i]!.length && own.every(({ ours }) => ours.key === own[0]!.ours.key);
    const draws = own.map((pair) => resampled.get(pair)!);
    const seeds = own.map(({ seed, difference }, s) => ({
      seed,
      difference,
      interval: percentileInterval(draws[s]!),
    }));
    const interval = isSame ? percentileInterval(draws[0]!.map((_, b) => mean(draws.map((draw) => draw[b]!)))) : null;
    return { ...method, difference: { ...method.difference, overImages: { interval, seeds, resamples: RESAMPLES } } };
  });
  return warned({ ...comparison, methods: [baseline!, ...methods] }, unread);
}

const warned = (comparison: Comparison, more: readonly string[]): Comparison => ({
  ...comparison,
  warnings: [...comparison.warnings, ...more],
});

interface Pair {
  ours: Judged;
  theirs: Judged;
}

const differencesOf = ({ ours, theirs }: Pair): Int8Array =>
  Int8Array.from(ours.right, (right, image) => right - theirs.right[image]!);

/** Resamples of each pair; the same images are drawn for all that were tested on the same ones. */
function resampledByImages<P extends Pair>(pairs: readonly P[]): Map<P, Float64Array> {
  const byImages = new Map<string, P[]>();
  for (const pair of pairs) byImages.set(pair.ours.key, [...(byImages.get(pair.ours.key) ?? []), pair]);
  const resampled = new Map<P, Float64Array>();
  for (const own of byImages.values()) {
    const draws = resampledDifferences(own.map(differencesOf), own[0]!.ours.labels);
    for (const [i, pair] of own.entries()) resampled.set(pair, draws[i]!);
  }
  return resampled;
}

/** Reads what a run predicted in its last evaluation. */
async function judge({ path, summary, logits }: LoadedRun): Promise<Judged> {
  const { logits: kept, about } = await readLogits(path, 'test', summary.classes.length, logits!.sha256);
  const table = keptTable(kept);
  const right = Uint8Array.from(kept.labels, (label, image) => Number(isHighest(table.below(image), label)));
  const order = new Uint8Array(kept.indices.buffer, kept.indices.byteOffset, kept.indices.byteLength);
  return { right, labels: kept.labels, key: `${about.images} ${sealOf([order]).sha256}` };
}

/** Whether a class is the prediction: the first of the highest. What lies below it by rounding only is kept as −0. */
const isHighest = (below: Float32Array, label: number): boolean =>
  below.findIndex((value) => Object.is(value, 0)) === label;
