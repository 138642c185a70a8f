import type { Spread } from '../metrics/statistics.ts';
import type { ConfusionCount, GroupRule } from '../metrics/types.ts';
import type { Comparison, Difference, MethodResult } from './compare.ts';
import { type FigureKey, figures } from './figures.ts';
import type { NamedSpreads } from './further.ts';
import type { ImageIntervals } from './image-intervals.ts';
import type { Overview, Ranks } from './overview.ts';

type Figures = Record<FigureKey, number | null>;
interface Pair {
  accuracy: number;
  balancedAccuracy: number;
}

/** Figures that go by names: those beyond the headline (docs/metrics.md), and those of plugins. */
interface NamedFigures<Value> {
  further: Record<string, Value>;
  figures: Record<string, Value>;
}

/** A method in {@link ResultsDocument}: means over its seeds, with the standard deviations in `sd`. */
export interface MethodDocument extends Figures, NamedFigures<number> {
  method: string;
  seeds: number[];
  /** `[C]`, in label order; null for a class without a test image. */
  perClass: (number | null)[];
  worstClassNames: string[];
  /** Sample standard deviations over the seeds; null for one seed. */
  sd: (Figures & NamedFigures<number | null> & { perClass: (number | null)[] }) | null;
  /** Optimistic: the epoch was chosen on the test set. */
  bestOnTest: (Pair & { optimistic: true; sd: Pair | null }) | null;
  /** The epoch was chosen on the validation split, by balanced accuracy. */
  chosenOnValidation: (Pair & { sd: Pair | null }) | null;
  /** Balanced accuracy on validation, of the last and of the chosen epoch. */
  validation: { last: Spread; chosen: Spread } | null;
  lastFiveMedian: (Pair & { sd: Pair | null }) | null;
  /** Paired by seed; null for the baseline. */
  difference: DifferenceDocument | null;
  /** Mean wall time of a run. */
  seconds: number;
  imagesPerSecond: number | null;
  /** Of the first run; null where it does not say. */
  parameters: { trained: number; all: number } | null;
  /** Multiply–accumulates of the prediction of one image, of the first run; null where it does not say. */
  macs: number | null;
  backend: string;
  stepMode: string;
  precision: string;
  tailmix: string;
  epochs: number;
  /** Pairs of true and predicted class that occur, counts summed over the seeds. */
  confusion: ConfusionCount[] | null;
  runs: { path: string; seed: number; subsetSeed: number; subsetHash: string; configHash: string; status: string }[];
}

/** Means of the paired differences. */
interface DifferenceDocument extends Figures {
  against: string;
  seeds: number[];
  wins: number;
  /** 95 % interval of the mean difference of balanced accuracy, by Student's t over the seeds; null for one seed. */
  balancedInterval: readonly [number, number] | null;
  /** Paired t-test of balanced accuracy, and the same corrected for all comparisons (Holm); null for one seed. */
  p: number | null;
  correctedP: number | null;
  /** Bootstrap over test images; null where runs kept no logits. */
  overImages: ImageIntervals | null;
  perClass: (number | null)[];
}

/** `report.json`, and what `tailmix report --json` prints. Shares in 0…1, times in seconds. */
export interface ResultsDocument {
  dataset: string;
  classes: readonly string[];
  classCounts: readonly number[];
  groups: GroupRule;
  testCount: number;
  methods: MethodDocument[];
  warnings: string[];
  leftOut: { path: string; reason: string }[];
}

/** A comparison as plain JSON. */
export const resultsDocument = ({ methods, ...comparison }: Comparison): ResultsDocument => ({
  ...comparison,
  methods: methods.map(methodDocument),
});

/** `report.json`, and with several data sets what `tailmix report --json` prints. */
export interface OverviewDocument {
  dataSets: (ResultsDocument & { name: string })[];
  /** Null where the data sets have fewer than three methods in common. */
  ranks: Ranks | null;
}

export const overviewDocument = ({ dataSets, ranks }: Overview): OverviewDocument => ({
  dataSets: dataSets.map(({ name, comparison }) => ({ name, ...resultsDocument(comparison) })),
  ranks,
});

const meanOf = (spread: Spread | null): number | null => spread?.mean ?? null;
const sdOf = (spread: Spread | null): number | null => spread?.sd ?? null;

const figureValues = (spreads: Record<FigureKey, Spread | null>, value: typeof meanOf): Figures =>
  Object.fromEntries(figures.map(({ key }) => [key, value(spreads[key])])) as Figures;

const namedValues = <Value>(
  { further, pluginFigures }: MethodResult,
  value: (spread: Spread) => Value,
): NamedFigures<Value> => {
  const values = (spreads: NamedSpreads) =>
    Object.fromEntries([...spreads].map(([name, spread]) => [name, value(spread)]));
  return { further: values(further), figures: values(pluginFigures) };
};

function pairValues(pair: MethodResult['bestOnTest']): (Pair & { sd: Pair | null }) | null {
  if (!pair) return null;
  const { accuracy, balancedAccuracy } = pair;
  const sd =
    accuracy.sd === null || balancedAccuracy.sd === null
      ? null
      : { accuracy: accuracy.sd, balancedAccuracy: balancedAccuracy.sd };
  return { accuracy: accuracy.mean, balancedAccuracy: balancedAccuracy.mean, sd };
}

const differenceValues = (difference: Difference): DifferenceDocument => {
  const { against, seeds, wins, balanced, correctedP, overImages, figures, perClass } = difference;
  return {
    against,
    seeds,
    wins,
    balancedInterval: balanced.interval,
    p: balanced.p,
    correctedP,
    overImages,
    ...figureValues(figures, meanOf),
    perClass: perClass.map(meanOf),
  };
};

function methodDocument(method: MethodResult): MethodDocument {
  const { epochs, parameters = null, macs = null, backend, stepMode, precision, tailmix } = method.runs[0]!.summary;
  const best = pairValues(method.bestOnTest);
  return {
    method: method.label,
    seeds: method.seeds,
    ...figureValues(method.figures, meanOf),
    ...namedValues(method, ({ mean }) => mean),
    perClass: method.perClass.map(meanOf),
    worstClassNames: method.worstClasses,
    sd:
      method.seeds.length < 2
        ? null
        : {
            ...figureValues(method.figures, sdOf),
            ...namedValues(method, ({ sd }) => sd),
            perClass: method.perClass.map(sdOf),
          },
    bestOnTest: best && { ...best, optimistic: true },
    chosenOnValidation: pairValues(method.chosenOnValidation),
    validation: method.validation,
    lastFiveMedian: pairValues(method.lastFiveMedian),
    difference: method.difference && differenceValues(method.difference),
    seconds: method.seconds.mean,
    imagesPerSecond: meanOf(method.imagesPerSecond),
    parameters,
    macs,
    backend,
    stepMode,
    precision,
    tailmix,
    epochs,
    confusion: method.confusion,
    runs: method.runs.map(({ path, summary: { seed, subsetSeed, subsetHash, configHash, status } }) => ({
      path,
      seed,
      subsetSeed,
      subsetHash,
      configHash,
      status,
    })),
  };
}
