import type { ProgressMessage, RunInfo } from 'tailmix';
import { phaseAt, type Reporter } from './reporter.ts';

const INTERVAL_MS = 250;

/**
 * Sends a message for a step at most four times a second, and one for each epoch with its metrics.
 *
 * @param now - milliseconds; default: the process's clock
 */
export function ipcReporter(
  { name, epochs, stepsPerEpoch, phases }: RunInfo,
  send: (message: ProgressMessage) => void,
  now = (): number => performance.now(),
): Reporter {
  const common = { type: 'progress', name, epochs } as const;
  const plan = phases ?? [{ epochs, stepsPerEpoch }];
  const stepsOf = (epoch: number): number => plan[phaseAt(plan, epoch)]!.stepsPerEpoch;
  let last = Number.NEGATIVE_INFINITY;
  return {
    begin() {},
    step({ epoch, stepInEpoch, loss }, imagesPerSecond) {
      if (now() - last < INTERVAL_MS) return;
      last = now();
      send({ ...common, steps: stepsOf(epoch), epoch, step: stepInEpoch, loss, imagesPerSecond });
    },
    epoch(metrics) {
      const { epoch, imagesPerSecond } = metrics;
      const steps = stepsOf(epoch);
      send({ ...common, steps, epoch, step: steps, loss: metrics.train.loss, imagesPerSecond, metrics });
    },
    end() {},
  };
}
