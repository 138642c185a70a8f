import type { BatchResult, EpochMetrics } from 'tailmix';

/** One way of showing progress. */
export interface Reporter {
  /** @param resumedFrom - epochs done before */
  begin(resumedFrom: number): void;
  step(result: Pick<BatchResult, 'epoch' | 'step' | 'stepInEpoch' | 'loss'>, imagesPerSecond: number): void;
  epoch(metrics: EpochMetrics): void;
  end(): void;
}

/** Epochs of a stage, and steps of each. */
interface Stage {
  epochs: number;
  stepsPerEpoch: number;
}

/** Position of the stage that an epoch is in; the last one for those after its end. */
export function stageAt(stages: readonly Stage[], epoch: number): number {
  let end = 0;
  const found = stages.findIndex((stage) => {
    end += stage.epochs;
    return epoch <= end;
  });
  return found < 0 ? stages.length - 1 : found;
}

/** Steps of a run's first epochs. */
export const stepsUpTo = (stages: readonly Stage[], epochs: number): number =>
  Array.from({ length: epochs }, (_, i) => stages[stageAt(stages, i + 1)]!.stepsPerEpoch).reduce((a, b) => a + b, 0);
