import type { EpochMetrics } from '../metrics/types.ts';

/** Set to `ipc` by a parent process that wants {@link ProgressMessage}s over its channel. */
export const PROGRESS_VARIABLE = 'TAILMIX_PROGRESS';

/** What a run tells the process that started it: a few times a second, and at the end of each epoch. */
export interface ProgressMessage {
  type: 'progress';
  /** Of the run. */
  name: string;
  /** Counts from 1. */
  epoch: number;
  epochs: number;
  /** Counts from 1, in the epoch. */
  step: number;
  /** Steps in an epoch. */
  steps: number;
  /** Of the step; at the end of an epoch, its mean. */
  loss: number;
  /** Since the epoch began. */
  imagesPerSecond: number;
  /** At the end of an epoch only. */
  metrics?: EpochMetrics;
}
