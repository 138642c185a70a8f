import type { BatchResult, EpochMetrics } from 'tailmix';

/** One way of showing progress. */
export interface Reporter {
  /** @param resumedFrom - epochs done before */
  begin(resumedFrom: number): void;
  step(result: Pick<BatchResult, 'epoch' | 'step' | 'stepInEpoch' | 'loss'>, imagesPerSecond: number): void;
  epoch(metrics: EpochMetrics): void;
  end(): void;
}
