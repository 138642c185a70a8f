import type { EpochMetrics, RunInfo } from 'tailmix';
import { type Clock, createEstimate, memoryUsed, processClock, timeLeft } from './estimate.ts';
import { phaseAt, type Reporter, stepsUpTo } from './reporter.ts';

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** What an evaluation came to; nothing where there was none. */
export function evaluated({ test, validation }: Pick<EpochMetrics, 'test' | 'validation'>): string {
  const tested = test ? [`test ${percent(test.accuracy)}, balanced ${percent(test.balancedAccuracy)}`] : [];
  const validated = validation ? [`validation balanced ${percent(validation.balancedAccuracy)}`] : [];
  return [...tested, ...validated].join(', ');
}

/** An epoch as one line of text. */
export function epochLine({ name, epochs }: RunInfo, metrics: EpochMetrics): string {
  const { epoch, phase, train, learningRate, imagesPerSecond } = metrics;
  return [
    name,
    ...(phase === undefined ? [] : [phase]),
    `epoch ${epoch}/${epochs}`,
    `loss ${train.loss.toFixed(4)}`,
    `train ${percent(train.accuracy)}`,
    evaluated(metrics),
    `lr ${Number(learningRate.toPrecision(4))}`,
    `${Math.round(imagesPerSecond)} images/s`,
  ]
    .filter((part) => part !== '')
    .join('  ');
}

/** Milliseconds after which a long epoch says how far it is. */
const INTERVAL_MS = 30_000;

/** A line per epoch, and one every half minute within an epoch, for logs. */
export function lineReporter(info: RunInfo, write: (line: string) => void, now: Clock = processClock): Reporter {
  const { name, epochs, stepsPerEpoch } = info;
  const plan = info.phases ?? [{ epochs, stepsPerEpoch }];
  const total = stepsUpTo(plan, epochs);
  let left = createEstimate(total, 0, now);
  let since = now();
  const rest = (done: number): string => {
    since = now();
    return [memoryUsed(), timeLeft(left(done))].filter((part) => part !== '').join('  ');
  };
  return {
    begin(resumedFrom) {
      left = createEstimate(total, stepsUpTo(plan, resumedFrom), now);
      since = now();
      if (resumedFrom > 0) write(`${name}  resumed after epoch ${resumedFrom}/${epochs}`);
    },
    step({ epoch, step, stepInEpoch, loss }, imagesPerSecond) {
      if (now() - since < INTERVAL_MS) return;
      const steps = plan[phaseAt(plan, epoch)]!.stepsPerEpoch;
      write(
        `${name}  epoch ${epoch}/${epochs}  step ${stepInEpoch}/${steps}  loss ${loss.toFixed(4)}  ${Math.round(imagesPerSecond)} images/s  ${rest(step)}`,
      );
    },
    epoch: (metrics) => write(`${epochLine(info, metrics)}  ${rest(metrics.step)}`),
    end() {},
  };
}
