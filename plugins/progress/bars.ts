import { MultiBar, type Params, type SingleBar } from 'cli-progress';
import type { EpochMetrics, RunInfo } from 'tailmix';
import { type Clock, createEstimate, memoryUsed, processClock, timeLeft } from './estimate.ts';
import { evaluated } from './lines.ts';
import { phaseAt, type Reporter, stepsUpTo } from './reporter.ts';

/** What a line says after its bar, the most important first: a narrow terminal leaves out the last ones. */
interface Payload {
  name: string;
  parts: readonly string[];
}

const GAP = '  ';
const [WIDE, BAR, NARROW_BAR] = [80, 14, 6];

/** A line of bar and parts, as many as fit. */
export function barLine(
  { progress, maxWidth }: Pick<Params, 'progress'> & { maxWidth: number },
  { name, parts }: Payload,
): string {
  const size = maxWidth >= WIDE ? BAR : NARROW_BAR;
  const full = Math.round(progress * size);
  const bar = `${'█'.repeat(full)}${'░'.repeat(size - full)}`;
  const begin = `${name} ${bar} ${Math.floor(100 * progress)} %`;
  return parts
    .filter((part) => part !== '')
    .reduce((line, part) => (line.length + GAP.length + part.length < maxWidth ? `${line}${GAP}${part}` : line), begin);
}

/** Two bars, one for the run and one for the epoch; the newest evaluation stands behind the first. */
export function barReporter(info: RunInfo, stream: NodeJS.WriteStream, now: Clock = processClock): Reporter {
  const { epochs, stepsPerEpoch } = info;
  const plan = info.phases ?? [{ epochs, stepsPerEpoch }];
  const stepsOf = (epoch: number): number => plan[phaseAt(plan, epoch)]!.stepsPerEpoch;
  const name = info.name.length > LONGEST ? `${info.name.slice(0, LONGEST - 1)}…` : info.name;
  const width = Math.max(name.length, 'epoch'.length);
  const bars = new MultiBar({
    stream,
    linewrap: true,
    fps: 5,
    format: (_, params, payload: Payload) => barLine(params as Params & { maxWidth: number }, payload),
  });
  let run: SingleBar;
  let epoch: SingleBar;
  let left: (done: number) => number | null;
  let last = '';
  const runParts = (done: number, step: number): Payload => ({
    name: name.padEnd(width),
    parts: [`epoch ${done}/${epochs}`, timeLeft(left(step)), last],
  });
  return {
    begin(resumedFrom) {
      const [total, begun] = [stepsUpTo(plan, epochs), stepsUpTo(plan, resumedFrom)];
      left = createEstimate(total, begun, now);
      run = bars.create(total, begun, runParts(resumedFrom, begun));
      epoch = bars.create(stepsOf(resumedFrom + 1), 0, { name: 'epoch'.padEnd(width), parts: [] });
    },
    step(result, imagesPerSecond) {
      run.update(result.step, runParts(result.epoch, result.step));
      if (result.stepInEpoch === 1) epoch.setTotal(stepsOf(result.epoch));
      epoch.update(result.stepInEpoch, {
        parts: [
          `step ${result.stepInEpoch}/${stepsOf(result.epoch)}`,
          `loss ${result.loss.toFixed(4)}`,
          `${Math.round(imagesPerSecond)} images/s`,
          memoryUsed(),
        ],
      });
    },
    epoch(metrics: EpochMetrics) {
      last = evaluated(metrics) || last;
      run.update(runParts(metrics.epoch, metrics.step));
    },
    end: () => bars.stop(),
  };
}

/** Characters of a run's name. */
const LONGEST = 20;
