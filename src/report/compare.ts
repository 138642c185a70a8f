import { createConfusion } from '../metrics/confusion.ts';
import { holm, type PairedDifference, pairedDifference } from '../metrics/paired.ts';
import { median, type Spread, spread, spreadOf } from '../metrics/statistics.ts';
import { classIntervals, supportOf } from '../metrics/tail.ts';
import type { ConfusionCount, Evaluation, GroupRule, ReliabilityBin } from '../metrics/types.ts';
import { type CurvePoint, curveOf } from './curves.ts';
import { mixedDatasets, noRuns, unknownBaseline } from './errors.ts';
import { type FigureKey, figures } from './figures.ts';
import { type NamedSpreads, spreadsByName } from './further.ts';
import type { ImageIntervals } from './image-intervals.ts';
import { groupRuns, pairRuns, type RunGroup } from './methods.ts';
import type { LeftOut, LoadedRun, LoadedRuns } from './runs.ts';
import { warningsFor } from './warnings.ts';

/** Accuracy and balanced accuracy over the seeds. */
interface AccuracyPair {
  accuracy: Spread;
  balancedAccuracy: Spread;
}

/** A method against the baseline: of each seed that both have, the difference of the two runs. */
export interface Difference {
  against: string;
  /** Seeds that both have; at least one. */
  seeds: number[];
  figures: Record<FigureKey, Spread | null>;
  /** Of balanced accuracy, by a t-test over the seeds. */
  balanced: PairedDifference;
  /** `balanced.p`, corrected for all methods that are compared with the baseline (Holm); null for one seed. */
  correctedP: number | null;
  /** `[C]`. */
  perClass: (Spread | null)[];
  /** Seeds of higher balanced accuracy than the baseline's. */
  wins: number;
  /** Over the test images instead of the seeds; null where it is not known. */
  overImages: ImageIntervals | null;
}

/** What a method came to, over its seeds. */
export interface MethodResult extends RunGroup {
  seeds: number[];
  /** Of the last epoch. */
  figures: Record<FigureKey, Spread | null>;
  /** Beyond the headline, of the last epoch; docs/metrics.md has the names. */
  further: NamedSpreads;
  /** What plugins made of the last epoch in `computeFigures`. */
  pluginFigures: NamedSpreads;
  /** `[C]`. */
  perClass: (Spread | null)[];
  /** Test images of each class, `[C]`; null where a run has no confusion matrix. */
  testCounts: number[] | null;
  /** Wilson's 95% intervals of the means in `perClass`, for one test set, `[C]`; null where `testCounts` is. */
  intervals: ([low: number, high: number] | null)[] | null;
  /** Names of the worst class, of each run, without repeats. */
  worstClasses: string[];
  /** Optimistic: of each run the epoch that was best on the test set. */
  bestOnTest: AccuracyPair | null;
  /** Of each run the epoch of highest balanced accuracy on validation; null where a run has no validation split. */
  chosenOnValidation: AccuracyPair | null;
  /** Balanced accuracy on the validation split: of the last epoch, and of the epoch chosen by it; null where a run has none. */
  validation: { last: Spread; chosen: Spread } | null;
  lastFiveMedian: AccuracyPair | null;
  /** Null for the baseline, and for a method without a seed in common. */
  difference: Difference | null;
  /** Counts summed over the runs; null where one has none. */
  confusion: ConfusionCount[] | null;
  /** Bins pooled over the runs. */
  reliability: ReliabilityBin[];
  curve: CurvePoint[];
  /** Wall time of a run. */
  seconds: Spread;
  /** Of a run its median over the epochs, the first left aside. */
  imagesPerSecond: Spread | null;
}

/** Methods side by side on one data set. */
export interface Comparison {
  dataset: string;
  classes: readonly string[];
  /** `[C]`, training images, of the baseline's first run. */
  classCounts: readonly number[];
  groups: GroupRule;
  /** Images of the test set. */
  testCount: number;
  /** The baseline first, the others in the order of their paths. */
  methods: MethodResult[];
  /** What a reader must know before comparing. */
  warnings: string[];
  leftOut: LeftOut[];
}

/** Whether a method is plain training, by its label. */
export const isPlain = (label: string): boolean => /^(erm|baseline|ce|cross[- ]entropy)$/i.test(label);

/**
 * Puts runs side by side.
 *
 * @param options.baseline - Label of the method the others are compared with. Default: the one called ERM, baseline or
 * cross-entropy, else the first.
 * @param options.observers - Names of plugins that only observe: they and their options make no method.
 * @throws {TailmixError} REPORT_NO_RUNS, REPORT_MIXED_DATA, REPORT_BASELINE.
 */
export function compareRuns(
  loaded: LoadedRuns,
  { baseline, observers }: { baseline?: string; observers?: ReadonlySet<string> } = {},
): Comparison {
  if (loaded.runs.length === 0) throw noRuns(loaded.leftOut);
  refuseMixedData(loaded.runs);
  const { groups, leftOut } = groupRuns(loaded.runs, observers);
  if (baseline !== undefined && !groups.some(({ label }) => label === baseline)) {
    throw unknownBaseline(
      baseline,
      groups.map(({ label }) => label),
    );
  }
  const first =
    groups.find(({ label }) => label === baseline) ?? groups.find(({ label }) => isPlain(label)) ?? groups[0]!;
  const ordered = [first, ...groups.filter((group) => group !== first)];
  const { dataset, classes, classCounts, groups: rule, last } = first.runs[0]!.summary;
  return {
    dataset,
    classes,
    classCounts,
    groups: rule,
    testCount: last.count,
    methods: withCorrectedP(ordered.map((group) => resultOf(group, group === first ? null : first))),
    warnings: warningsFor(ordered),
    leftOut: [...loaded.leftOut, ...leftOut],
  };
}

function withCorrectedP(methods: readonly MethodResult[]): MethodResult[] {
  const corrected = holm(methods.map(({ difference }) => difference?.balanced.p ?? null));
  return methods.map((method, i) => ({
    ...method,
    difference: method.difference && { ...method.difference, correctedP: corrected[i]! },
  }));
}

function refuseMixedData(runs: readonly LoadedRun[]): void {
  const byData = new Map<string, { dataset: string; path: string }>();
  for (const { path, summary } of runs) {
    const key = JSON.stringify([summary.dataset, summary.classes]);
    const dataset = `${summary.dataset}, ${summary.classes.length} classes`;
    if (!byData.has(key)) byData.set(key, { dataset, path });
  }
  if (byData.size > 1) throw mixedDatasets([...byData.values()]);
}

function resultOf(group: RunGroup, baseline: RunGroup | null): MethodResult {
  const summaries = group.runs.map(({ summary }) => summary);
  const last = summaries.map((summary) => summary.last);
  const perClass = last[0]!.perClass.map((_, c) => spreadOf(last.map((evaluation) => evaluation.perClass[c])));
  const confusion = sumOfConfusions(last);
  // Each seed predicts the same images: they are counted once.
  const testCounts = confusion && Array.from(supportOf(confusion, perClass.length), (images) => images / last.length);
  return {
    ...group,
    seeds: summaries.map(({ seed }) => seed),
    figures: figuresOf((of) => spreadOf(last.map(of))),
    further: spreadsByName(group.runs, ({ summary }) => summary.figures),
    pluginFigures: spreadsByName(group.runs, ({ summary }) => summary.last.figures),
    perClass,
    testCounts,
    intervals:
      testCounts &&
      classIntervals(
        perClass.map((own) => own?.mean ?? null),
        testCounts,
      ),
    worstClasses: [...new Set(last.map(({ worstClass }) => worstClass.name))],
    bestOnTest: pairOf(summaries.map(({ bestOnTest }) => bestOnTest)),
    chosenOnValidation: pairOf(summaries.map(({ chosenOnValidation }) => chosenOnValidation ?? null)),
    validation: validationOf(group.runs),
    lastFiveMedian: pairOf(summaries.map(({ lastFiveMedian }) => lastFiveMedian)),
    difference: baseline && differenceOf(group, baseline),
    confusion,
    reliability: pooledReliability(last),
    curve: curveOf(group.runs),
    seconds: spread(summaries.map(({ seconds }) => seconds)),
    imagesPerSecond: spreadOf(group.runs.map(speedOf)),
  };
}

/** Of a run the validation of its best epoch; null where it has none. */
export const bestValidation = ({ epochs }: LoadedRun) =>
  epochs
    .flatMap(({ validation }) => validation ?? [])
    .reduce<Validation | null>(
      (best, own) => (best && best.balancedAccuracy >= own.balancedAccuracy ? best : own),
      null,
    );

type Validation = NonNullable<LoadedRun['epochs'][number]['validation']>;

function validationOf(runs: readonly LoadedRun[]): MethodResult['validation'] {
  const best = runs.flatMap((run) => bestValidation(run) ?? []);
  const last = runs.flatMap(({ epochs }) => epochs.findLast(({ validation }) => validation)?.validation ?? []);
  if (best.length < runs.length) return null;
  const balanced = (all: readonly Validation[]) => spread(all.map(({ balancedAccuracy }) => balancedAccuracy));
  return { last: balanced(last), chosen: balanced(best) };
}

const figuresOf = (
  value: (of: (evaluation: Evaluation) => number | null) => Spread | null,
): Record<FigureKey, Spread | null> =>
  Object.fromEntries(figures.map(({ key, of }) => [key, value(of)])) as Record<FigureKey, Spread | null>;

function pairOf(pairs: readonly ({ accuracy: number; balancedAccuracy: number } | null)[]): AccuracyPair | null {
  const present = pairs.filter((pair) => pair !== null);
  if (present.length === 0) return null;
  return {
    accuracy: spread(present.map(({ accuracy }) => accuracy)),
    balancedAccuracy: spread(present.map(({ balancedAccuracy }) => balancedAccuracy)),
  };
}

function differenceOf(group: RunGroup, baseline: RunGroup): Difference | null {
  const pairs = pairRuns(group, baseline).map(([ours, theirs]) => ({
    seed: ours.summary.seed,
    ours: ours.summary.last,
    theirs: theirs.summary.last,
  }));
  if (pairs.length === 0) return null;
  const minus = (a: number | null | undefined, b: number | null | undefined) =>
    typeof a === 'number' && typeof b === 'number' ? a - b : null;
  return {
    against: baseline.label,
    seeds: pairs.map(({ seed }) => seed),
    figures: figuresOf((of) => spreadOf(pairs.map(({ ours, theirs }) => minus(of(ours), of(theirs))))),
    balanced: pairedDifference(pairs.map(({ ours, theirs }) => ours.balancedAccuracy - theirs.balancedAccuracy)),
    correctedP: null,
    perClass: pairs[0]!.ours.perClass.map((_, c) =>
      spreadOf(pairs.map(({ ours, theirs }) => minus(ours.perClass[c], theirs.perClass[c]))),
    ),
    wins: pairs.filter(({ ours, theirs }) => ours.balancedAccuracy > theirs.balancedAccuracy).length,
    overImages: null,
  };
}

function sumOfConfusions(evaluations: readonly Evaluation[]): ConfusionCount[] | null {
  const sum = createConfusion(evaluations[0]!.perClass.length);
  for (const { confusion } of evaluations) {
    if (!confusion) return null;
    for (const pair of confusion) sum.add(...pair);
  }
  return sum.result();
}

function pooledReliability(evaluations: readonly Evaluation[]): ReliabilityBin[] {
  return evaluations[0]!.reliability.map((_, b) => {
    const bins = evaluations.flatMap(({ reliability }) => reliability[b] ?? []);
    const count = bins.reduce((sum, bin) => sum + bin.count, 0);
    const weighted = (key: 'confidence' | 'accuracy') =>
      count === 0 ? null : bins.reduce((sum, bin) => sum + bin.count * (bin[key] ?? 0), 0) / count;
    return { count, confidence: weighted('confidence'), accuracy: weighted('accuracy') };
  });
}

function speedOf({ epochs }: LoadedRun): number | null {
  const speeds = (epochs.length > 1 ? epochs.slice(1) : epochs).flatMap(({ imagesPerSecond }) => imagesPerSecond ?? []);
  return speeds.length === 0 ? null : median(speeds);
}
