import type { EpochMetrics, RunInfo } from 'tailmix';
import type { Reporter } from './reporter.ts';

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** An epoch as one line of text. */
export function epochLine({ name, epochs }: RunInfo, metrics: EpochMetrics): string {
  const { epoch, phase, train, test, learningRate, imagesPerSecond } = metrics;
  const tested = test ? `  test ${percent(test.accuracy)}, balanced ${percent(test.balancedAccuracy)}` : '';
  return (
    `${name}  ${phase === undefined ? '' : `${phase}  `}epoch ${epoch}/${epochs}  loss ${train.loss.toFixed(4)}  train ${percent(train.accuracy)}${tested}` +
    `  lr ${Number(learningRate.toPrecision(4))}  ${Math.round(imagesPerSecond)} images/s`
  );
}

/** A line per epoch, for logs. */
export function lineReporter(info: RunInfo, write: (line: string) => void): Reporter {
  return {
    begin(resumedFrom) {
      if (resumedFrom > 0) write(`${info.name}  resumed after epoch ${resumedFrom}/${info.epochs}`);
    },
    step() {},
    epoch: (metrics) => write(epochLine(info, metrics)),
    end() {},
  };
}
