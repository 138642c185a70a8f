import { Worker } from 'node:worker_threads';
import { internal, messageOf, TailmixError } from '../../errors.ts';
import { loaderDied } from '../errors.ts';
import type { Job, Report } from './ring.ts';

/** The loader's threads, seen from the main one. */
export interface Threads {
  /** Hands an epoch to every thread. */
  start(job: Job): void;
  /** Waits until a condition on shared memory holds; throws when a thread fails first. */
  until(holds: () => boolean): Promise<void>;
  /** Waits until no thread works on a job. */
  finished(): Promise<void>;
  /** Throws when a thread has failed. */
  check(): void;
  close(): Promise<void>;
}

/** The compiled program: Node does not run TypeScript in threads, so sources use the build beside them. */
const ownProgram = new URL(
  import.meta.url.endsWith('.ts') ? '../../../dist/src/data/loader/loader-worker.js' : './loader-worker.js',
  import.meta.url,
);

/**
 * Starts the threads of a loader. They keep the process alive only while something waits for them. A thread that
 * throws or ends makes every later call throw.
 */
export function startThreads(workers: number, program: URL = ownProgram): Threads {
  let failure: TailmixError | undefined;
  let job = 0;
  const busy = new Set<Worker>();
  let wake = (): void => {};

  const pool = Array.from({ length: workers }, (_, worker) => {
    const thread = new Worker(program, { workerData: { worker, workers }, execArgv: [] });
    const died = (reason: string, cause?: unknown): void => {
      busy.delete(thread);
      failure ??= loaderDied(reason, cause);
      wake();
    };
    thread.on('message', (report: Report) => {
      if (report.kind !== 'ready' && report.job === job) busy.delete(thread);
      if (report.kind === 'failed') failure ??= new TailmixError(report.message, { code: report.code });
      wake();
    });
    thread.on('error', (error) => died(messageOf(error), error));
    thread.on('exit', (code) => died(`exit code ${code}`));
    thread.unref();
    return thread;
  });

  async function wait(holds: () => boolean): Promise<void> {
    for (const thread of pool) thread.ref();
    while (!holds()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    for (const thread of pool) thread.unref();
  }

  const check = (): void => {
    if (failure) throw failure;
  };
  const finished = (): Promise<void> => wait(() => busy.size === 0);

  return {
    check,
    finished,
    start(next) {
      check();
      job = next.id;
      for (const thread of pool) {
        busy.add(thread);
        thread.postMessage(next);
      }
    },
    async until(holds) {
      await wait(() => failure !== undefined || holds());
      check();
    },
    async close() {
      failure ??= internal('the loader is closed');
      await Promise.all(pool.map((thread) => thread.terminate()));
    },
  };
}
