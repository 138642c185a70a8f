import { type PoolOptions, type PoolRunnerInitializer, type PoolWorker, ThreadsPoolWorker } from 'vitest/node';

type Callback = Parameters<PoolWorker['on']>[1];
type Request = Parameters<PoolWorker['send']>[0];

/** Test files that a thread runs before a new one takes over. */
const LIMIT = 200;

const idle: Warm[] = [];

interface Warm {
  thread: ThreadsPoolWorker;
  runs: number;
}

/**
 * A worker whose thread outlives it: the next one goes on with it. Modules of this repository are evaluated anew for
 * each test file, as `isolate` says; packages stay loaded, and TensorFlow.js alone takes longer to load than most
 * mutants to test.
 */
class WarmWorker implements PoolWorker {
  readonly name = 'warm';
  private readonly options: PoolOptions;
  private readonly listeners: [event: string, callback: Callback][] = [];
  private warm: Warm | undefined;
  private failed = false;

  constructor(options: PoolOptions) {
    this.options = options;
  }

  async start(): Promise<void> {
    this.warm = idle.pop();
    if (this.warm) return;
    const thread = new ThreadsPoolWorker(this.options);
    await thread.start();
    this.warm = { thread, runs: 0 };
    this.on('exit', () => {
      this.failed = true;
    });
  }

  on(event: string, callback: Callback): void {
    this.listeners.push([event, callback]);
    this.warm!.thread.on(event, callback);
  }

  off(event: string, callback: Callback): void {
    this.warm?.thread.off(event, callback);
  }

  send(message: Request): void {
    if (message.type !== 'stop') {
      this.warm!.thread.send(message);
      return;
    }
    for (const [event, callback] of [...this.listeners]) {
      if (event === 'message') callback({ type: 'stopped', __vitest_worker_response__: true });
    }
  }

  deserialize(data: unknown): unknown {
    return data;
  }

  async stop(): Promise<void> {
    const warm = this.warm!;
    for (const [event, callback] of this.listeners) warm.thread.off(event, callback);
    if (this.failed) return;
    if (++warm.runs < LIMIT) idle.push(warm);
    else await warm.thread.stop();
  }
}

export const warmPool: PoolRunnerInitializer = { name: 'warm', createPoolWorker: (options) => new WarmWorker(options) };
