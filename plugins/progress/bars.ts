import { MultiBar, type SingleBar } from 'cli-progress';
import type { RunInfo } from 'tailmix';
import { phaseAt, type Reporter, stepsUpTo } from './reporter.ts';

const format = {
  run: '{name} {bar} {percentage} %  epoch {epoch}/{epochs}  {eta_formatted} left  {last}',
  epoch: '{name} {bar} {percentage} %  step {value}/{total}  loss {loss}  {rate} images/s',
};

/** Two bars, one for the run and one for the epoch; the newest evaluation stands behind the first. */
export function barReporter(info: RunInfo, stream: NodeJS.WriteStream): Reporter {
  const { epochs, stepsPerEpoch } = info;
  const plan = info.phases ?? [{ epochs, stepsPerEpoch }];
  const stepsOf = (epoch: number): number => plan[phaseAt(plan, epoch)]!.stepsPerEpoch;
  const width = Math.max(info.name.length, 'epoch'.length);
  const bars = new MultiBar({
    stream,
    linewrap: true,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 14,
    fps: 5,
  });
  let run: SingleBar;
  let epoch: SingleBar;
  return {
    begin(resumedFrom) {
      const payload = { name: info.name.padEnd(width), epoch: resumedFrom, epochs, last: '' };
      run = bars.create(stepsUpTo(plan, epochs), stepsUpTo(plan, resumedFrom), payload, { format: format.run });
      epoch = bars.create(
        stepsOf(resumedFrom + 1),
        0,
        { name: 'epoch'.padEnd(width), loss: '–', rate: '–' },
        { format: format.epoch },
      );
    },
    step(result, imagesPerSecond) {
      run.update(result.step, { epoch: result.epoch });
      if (result.stepInEpoch === 1) epoch.setTotal(stepsOf(result.epoch));
      epoch.update(result.stepInEpoch, { loss: result.loss.toFixed(4), rate: Math.round(imagesPerSecond) });
    },
    epoch({ test }) {
      if (test) run.update({ last: `test ${(100 * test.accuracy).toFixed(2)} %` });
    },
    end: () => bars.stop(),
  };
}
