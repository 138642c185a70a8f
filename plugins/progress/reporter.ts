import type { BatchResult, EpochMetrics } from 'tailmix';

/** One way of showing progress. */
export interface Reporter {
  /** @param resumedFrom - epochs done before */
  begin(resumedFrom: number): void;
  step(result: Pick<BatchResult, 'epoch' | 'step' | 'stepInEpoch' | 'loss'>, imagesPerSecond: number): void;
  epoch(metrics: EpochMetrics): void;
  end(): void;
}

/** Epochs of a phase, and steps of each. */
interface Phase {
  epochs: number;
  stepsPerEpoch: number;
}

/** Position of the phase that an epoch is in; the last one for those after its end. */
export function phaseAt(phases: readonly Phase[], epoch: number): number {
  let end = 0;
  const found = phases.findIndex((phase) => {
    end += phase.epochs;
    return epoch <= end;
  });
  return found < 0 ? phases.length - 1 : found;
}

/** Steps of a run's first epochs. */
export const stepsUpTo = (phases: readonly Phase[], epochs: number): number =>
  Array.from({ length: epochs }, (_, i) => phases[phaseAt(phases, i + 1)]!.stepsPerEpoch).reduce((a, b) => a + b, 0);
