import type { MlflowSettings } from '../mlflow/settings.ts';
import type { Destination } from './attach.ts';
import type { RunEnd } from './records.ts';

/** What the thread that sends is given. */
export interface FlushJob {
  runDirectory: string;
  settings: MlflowSettings;
  destination: Destination;
  /** Milliseconds between looks at the spool. */
  interval: number;
}

/** What it is told: that the run has ended, to send the rest and end; or to end now. */
export type FlushOrder = RunEnd | 'abort';

/** What it tells. */
export type FlushReport =
  /** The server has taken something. */
  | { kind: 'progress'; runId: string; experimentId: string }
  /** Calls go through, or why not. */
  | { kind: 'reached' }
  | { kind: 'failed'; reason: string }
  | { kind: 'remark'; remark: string }
  /** It ends: whether the server has everything. */
  | { kind: 'ended'; complete: boolean; reason: string | null };
