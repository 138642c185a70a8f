import { definePlugin, messageOf, Order, type Run, type RunSummary, z } from 'tailmix';
import {
  experimentDestination,
  type Flusher,
  isServer,
  type MlflowSettings,
  type RunEnd,
  resolveSettings,
  startFlusher,
} from 'tailmix/tracking';
import { serverWithCredentials } from './errors.ts';
import { stepMeter } from './figures.ts';
import { type MlflowOptions, options } from './options.ts';
import { openRecorder, type Recorder } from './recorder.ts';
import { conclude, requireServer } from './sending.ts';

const name = 'mlflow';

/** In JSON, null is a number that is not finite. */
const sum = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

const saved = z.object({ steps: z.int(), loss: sum, penalties: z.record(z.string(), sum) });

/** The server to send to; null for none. A store that is no server is not sent to, with `warn` told why. */
export function serverOf(
  { server }: Pick<MlflowOptions, 'server'>,
  env: Readonly<Record<string, string | undefined>>,
  warn: (code: string, message: string) => void,
): MlflowSettings | null {
  if (server !== undefined && /\/\/[^/]*@/.test(server)) throw serverWithCredentials();
  const uri = server ?? env.MLFLOW_TRACKING_URI;
  if (!uri) return null;
  if (isServer(uri)) return resolveSettings(uri, env);
  warn(
    'NO_SERVER',
    `${server === undefined ? 'MLFLOW_TRACKING_URI' : 'server'} "${uri}" is not a server (http:// or https://): the run is ` +
      'kept in its directory, and `tailmix mlflow sync` sends it to one.',
  );
  return null;
}

const tell = (line: string): void => void process.stderr.write(`${line}\n`);

/**
 * MLflow: records what it should know of a run in the run directory, and sends it where a server is named. Runs by
 * default.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits' },
 *   model: { name: 'mlp' },
 *   plugins: [mlflow({ experiment: 'long tails', every: 50 })],
 * });
 * ```
 * @example
 * ```yaml
 * plugins:
 *   - use: mlflow
 *     experiment: long tails
 *     every: 50
 * ```
 */
export default definePlugin({
  name,
  options,
  spans: 'run',
  apply({ hooks, warn }, options) {
    const settings = serverOf(options, process.env, warn);
    // After the checkpoint: what it covers is what is there of a run that is killed between the two.
    const tap = { name, stage: Order.Publish };
    const meter = options.every > 0 ? stepMeter(options.every) : null;
    let recorder: Recorder | undefined;
    let flusher: Flusher | undefined;
    let endedAs: RunSummary['status'] | null = null;

    /** Tracking never ends a run: what goes wrong in it is told, and it is given up. */
    const safely = async (work: () => unknown): Promise<void> => {
      try {
        await work();
      } catch (error) {
        tell(`MLflow: ${messageOf(error)} Training continues without it.`);
        recorder?.close();
        recorder = undefined;
      }
    };
    const begin = async (run: Run, required: boolean): Promise<void> => {
      const { experiment } = options;
      const destination = experiment === undefined ? experimentDestination() : { experiment };
      await safely(async () => {
        if (run.directory !== null)
          recorder = await openRecorder(run, run.directory, options, (error) => tell(error.message));
      });
      if (required) await requireServer(recorder ? run.directory : null, settings, destination);
      await safely(() => {
        if (settings && recorder) flusher = startFlusher(run.directory!, settings, { destination, onNews: tell });
      });
    };
    hooks.onTrainBegin.tapPromise(tap, (run) => begin(run, options.required));
    hooks.onEpochBegin.tap(tap, () => meter?.restart(performance.now()));
    if (meter) {
      hooks.onBatchEnd.tap(tap, (result) => {
        const figures = meter.add(result, performance.now());
        if (figures) recorder?.steps(result.step, figures);
      });
    }
    hooks.onEpochEnd.tap(tap, (metrics) => recorder?.epoch(metrics));
    hooks.onCheckpoint.tap(tap, (checkpoint) => recorder?.checkpoint(checkpoint));

    /** Whatever fails in it, the run gets its status, and the thread that sends ends. */
    const end = async (summary: RunSummary, error: Error | null, { directory }: Run): Promise<void> => {
      let ended: RunEnd | undefined;
      if (recorder) {
        const { end, problems } = await recorder.end(summary, error, settings !== null);
        ended = end;
        for (const problem of problems) tell(`MLflow: ${messageOf(problem)} The run's end is recorded without it.`);
        endedAs = error ? 'failed' : summary.status;
        recorder.close();
        recorder = undefined;
      }
      const sending = flusher;
      flusher = undefined;
      if (sending && settings && ended) {
        const { server } = settings;
        await safely(async () => tell(await conclude(sending, server, directory!, options, ended)));
      }
    };
    hooks.onTrainEnd.tapPromise(tap, (summary, run) => end(summary, null, run));
    hooks.onError.tapPromise(tap, async (error, run) => {
      // Another observer has failed after this one had ended the run in good order.
      if (endedAs !== null && endedAs !== 'failed') await begin(run, false);
      await end(run.summary(), error, run);
    });
    if (!meter) return;
    return {
      save: () => meter.save(),
      // A run may have begun without this plugin, or without points of steps.
      load: (state) => {
        const found = saved.safeParse(state).data;
        if (found) meter.load(found);
      },
    };
  },
});
