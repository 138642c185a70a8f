/**
 * How a run is recorded for a tracking server: everything is first written to a spool in the run directory, and a
 * flusher sends it while the run goes on, or later. The plugin `mlflow` is built on it; the client alone is
 * `tailmix/mlflow`.
 *
 * @module
 */
export { type ExperimentView, viewTag } from './mlflow/pages.ts';
export { isServer, type MlflowSettings, resolveSettings } from './mlflow/settings.ts';
export type { DatasetInput, KeyValue } from './mlflow/types.ts';
export { type Ownership, own } from './ownership.ts';
export { type Destination, experimentDestination } from './spool/attach.ts';
export { attachAtOnce } from './spool/attach-at-once.ts';
export { type Flusher, type FlushOutcome, startFlusher } from './spool/flush.ts';
export { pagesOf, type RunPages } from './spool/pages.ts';
export { type RunEnd, type RunRecord, type SpoolRecord, spoolFiles } from './spool/records.ts';
export { ensureSweepRun } from './spool/sweep-run.ts';
export { type Figures, openSpool, type SpoolWriter, type Texts } from './spool/write.ts';
export { type SweepMembership, sweepMembership } from './sweep-membership.ts';
