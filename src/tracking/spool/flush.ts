import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { messageOf } from '../../errors.ts';
import type { MlflowSettings } from '../mlflow/settings.ts';
import type { Destination } from './attach.ts';
import type { FlushJob, FlushOrder, FlushReport } from './flush-protocol.ts';
import type { RunEnd } from './records.ts';

/** What became of the sending of a run. */
export interface FlushOutcome {
  /** Whether the server has everything. */
  complete: boolean;
  /** Why it has not. */
  reason: string | null;
  /** The run there, and its experiment; null when the server was never reached. */
  runId: string | null;
  experimentId: string | null;
}

/** Sends a run's spool in the background, as it grows. */
export interface Flusher {
  /**
   * Sends the rest. Waits as long as the server takes something, and `patience` milliseconds beyond.
   *
   * @param end - of the run, for the server, also where its spool lacks it. It is over: call it once.
   */
  end(patience: number, end: RunEnd): Promise<FlushOutcome>;
}

/** The compiled program: Node does not run TypeScript in threads, so sources use the build beside them. */
const program = new URL(
  import.meta.url.endsWith('.ts') ? '../../../dist/src/tracking/spool/flush-worker.js' : './flush-worker.js',
  import.meta.url,
);

const INTERVAL_MS = 1000;
const ABORT_MS = 1000;

/**
 * Starts to send. It has a thread of its own, so that it waits for no training step, and none for it; it does not keep
 * the process alive.
 *
 * @param onNews - told, in words, when the server is lost, when it is back, and what it does not take.
 */
export function startFlusher(
  runDirectory: string,
  settings: MlflowSettings,
  {
    destination = {},
    interval = INTERVAL_MS,
    onNews,
  }: { destination?: Destination; interval?: number; onNews: (news: string) => void },
): Flusher {
  const job: FlushJob = { runDirectory, settings, destination, interval };
  const thread = new Worker(program, { workerData: job, execArgv: [] });
  let place: Pick<FlushOutcome, 'runId' | 'experimentId'> = { runId: null, experimentId: null };
  let reason: string | null = null;
  let outcome: FlushOutcome | undefined;
  let notice = (): void => {};

  const conclude = (complete: boolean, why: string | null): void => {
    outcome ??= { complete, reason: why, ...place };
    notice();
  };
  thread.on('message', (report: FlushReport) => {
    // What comes later was told already.
    if (outcome) return;
    switch (report.kind) {
      case 'progress':
        place = { runId: report.runId, experimentId: report.experimentId };
        break;
      case 'reached':
        reason = null;
        onNews('MLflow is back; what it missed is sent.');
        break;
      case 'failed':
        reason = report.reason;
        onNews(`${reason} Training continues, and the run is kept in its directory.`);
        break;
      case 'remark':
        onNews(`MLflow: ${report.remark}`);
        break;
      case 'ended':
        conclude(report.complete, report.reason);
    }
    notice();
  });
  const died = (why: string): void => {
    if (!outcome) onNews(`MLflow: the thread that sends has ended (${why}). The run is kept in its directory.`);
    conclude(false, why);
  };
  thread.on('error', (error) => died(messageOf(error)));
  thread.on('exit', (code) => died(`exit code ${code}`));
  // Not before: a listener for messages takes it back.
  thread.unref();

  /** Waits for a report; false when none comes in time. */
  const news = (milliseconds: number): Promise<boolean> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), milliseconds);
      notice = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  const tell = (order: FlushOrder): void => thread.postMessage(order);

  return {
    async end(patience, end) {
      thread.ref();
      tell(end);
      while (!outcome && (await news(patience)));
      if (!outcome) {
        conclude(false, reason ?? `It took nothing for ${Math.round(patience / 1000)} s.`);
        tell('abort');
        await Promise.race([once(thread, 'exit'), delay(ABORT_MS, undefined, { ref: false })]);
      }
      await thread.terminate();
      return outcome!;
    },
  };
}
