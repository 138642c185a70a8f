import { loadBackend } from '../backend/load.ts';
import type { Subset } from '../data/types.ts';
import { signatureFor } from '../step/signature.ts';
import { logitsOf } from '../train/evaluate.ts';
import { openFit } from '../train/fit.ts';
import { onDeviceHere } from './device-here.ts';
import type { TrainedRun } from './open.ts';
import { softmax } from './predict.ts';

/** An image with the class that it was given. */
export interface Classified {
  /** Row of the split. */
  row: number;
  label: number;
  predicted: number;
  /** Of the predicted class. */
  probability: number;
  /** Of the labelled class. */
  labelProbability: number;
}

/** An image that was classified wrongly. */
export interface Mistake extends Classified {
  /**
   * Whether its label is likely wrong: it is taken for a class with at least the confidence that images labelled as that class
   * have on average (the threshold of confident learning, Northcutt et al. 2021, eq. 2).
   */
  likelyMislabelled: boolean;
}

/** Classifies the images of a subset as evaluation does, on the run's backend. */
export async function classify(run: TrainedRun, subset: Subset): Promise<Classified[]> {
  const backend = await loadBackend(run.options.backend);
  const fit = await openFit(await onDeviceHere(run, backend), run.composition, backend);
  const count = run.info.classes.length;
  const found: Classified[] = [];
  try {
    const signature = signatureFor(fit.program, 'predict', {});
    for await (const { logits, labels, indices } of logitsOf(fit.engine, signature, fit.loader, subset, count)) {
      for (const [i, label] of labels.entries()) {
        const probabilities = softmax(logits.subarray(i * count, (i + 1) * count));
        const probability = probabilities.reduce((a, b) => Math.max(a, b));
        const predicted = probabilities.indexOf(probability);
        found.push({ row: indices[i]!, label, predicted, probability, labelProbability: probabilities[label]! });
      }
    }
    return found;
  } finally {
    await fit.loader.close();
    fit.engine.dispose();
  }
}

/** What was classified wrongly; first what the network is surest of: p(predicted) − p(label), descending. */
export function mistakesOf(classified: readonly Classified[], classes: number): Mistake[] {
  const sums = new Float64Array(classes);
  const counts = new Int32Array(classes);
  for (const { label, labelProbability } of classified) {
    sums[label]! += labelProbability;
    counts[label]!++;
  }
  const margin = ({ probability, labelProbability }: Classified): number => probability - labelProbability;
  return classified
    .filter(({ label, predicted }) => label !== predicted)
    .map((one) => ({
      ...one,
      likelyMislabelled: counts[one.predicted]! > 0 && one.probability >= sums[one.predicted]! / counts[one.predicted]!,
    }))
    .sort((a, b) => margin(b) - margin(a) || a.row - b.row);
}

/** Mistakes of one kind: images of one class that are taken for another. */
export interface Confusion {
  label: number;
  predicted: number;
  /** As {@link mistakesOf} orders them. */
  mistakes: Mistake[];
}

/** Mistakes by kind, the most frequent kind first. */
export function confusionsOf(mistakes: readonly Mistake[]): Confusion[] {
  const kinds = new Map<string, Confusion>();
  for (const mistake of mistakes) {
    const { label, predicted } = mistake;
    const key = `${label} ${predicted}`;
    if (!kinds.has(key)) kinds.set(key, { label, predicted, mistakes: [] });
    kinds.get(key)!.mistakes.push(mistake);
  }
  return [...kinds.values()].sort((a, b) => b.mistakes.length - a.mistakes.length);
}
