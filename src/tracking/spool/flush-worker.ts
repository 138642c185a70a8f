/** Sends a run's spool while it is trained, in a thread of its own: it reads files and calls the server, nothing else. */
import { randomInt } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../errors.ts';
import { createMlflowClient } from '../mlflow/client.ts';
import { MlflowError } from '../mlflow/errors.ts';
import type { FlushJob, FlushOrder, FlushReport } from './flush-protocol.ts';
import { whileSending } from './locks.ts';
import { createSender } from './send.ts';

const SHORTEST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** A server that has been away for longer is not waited for at the end. */
const AWAY_MS = 5000;

const { runDirectory, settings, destination, interval } = workerData as FlushJob;
const report = (message: FlushReport): void => parentPort!.postMessage(message);
// The pauses below are the retries.
const client = createMlflowClient({ ...settings, retries: 0 });
const sender = createSender(runDirectory, {
  client,
  destination,
  onRemark: (remark) => report({ kind: 'remark', remark }),
  onProgress: ({ runId, experimentId }) => report({ kind: 'progress', runId, experimentId }),
});

let order: FlushOrder | undefined;
let wake = (): void => {};
const isAborted = (): boolean => order === 'abort';
/** A fault of the disk, say, which waiting for the server does not cure. */
const isOurs = (error: unknown): boolean => !(error instanceof MlflowError);
parentPort!.on('message', (message: FlushOrder) => {
  order = message;
  if (isAborted()) void client.close();
  wake();
});

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });

/** The server has the status of a run that is over, whatever else it lacks. */
const concludeRun = async (): Promise<void> => {
  if (order !== undefined && order !== 'abort') await sender.conclude(order).catch(() => {});
};

async function flush(): Promise<Extract<FlushReport, { kind: 'ended' }>> {
  let failures = 0;
  /** Each kind of failure is told once until the server is back: what keeps it away first need not be all there is to do. */
  const told = new Set<string>();
  let awaySince = 0;
  for (;;) {
    const wasLast = order !== undefined;
    try {
      await whileSending(runDirectory, () => sender.send());
      if (failures > 0) report({ kind: 'reached' });
      failures = 0;
      told.clear();
      if (wasLast) {
        await concludeRun();
        return { kind: 'ended', complete: true, reason: null };
      }
      if (order === undefined) await pause(interval);
    } catch (error) {
      // What a call ends with that an abort cut off says nothing of the server.
      if (isAborted()) return { kind: 'ended', complete: false, reason: null };
      const reason = messageOf(error);
      if (failures++ === 0) awaySince = Date.now();
      const kind = error instanceof MlflowError ? error.failure : reason;
      if (!told.has(kind)) report({ kind: 'failed', reason });
      told.add(kind);
      if (wasLast && isOurs(error)) await concludeRun();
      if (wasLast && (isOurs(error) || Date.now() - awaySince > AWAY_MS))
        return { kind: 'ended', complete: false, reason };
      const longest = Math.min(LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS * 2 ** (failures - 1));
      await pause(longest / 2 + randomInt(longest / 2));
      if (isAborted()) return { kind: 'ended', complete: false, reason };
    }
  }
}

const outcome = await flush();
await client.close();
report(outcome);
parentPort!.close();
