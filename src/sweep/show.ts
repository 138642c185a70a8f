import cliProgress from 'cli-progress';
import type { ProgressMessage } from '../tracking/progress-message.ts';

/** Shows a sweep while it runs. */
export interface SweepDisplay {
  /** @param what - `starts` or `resumes` */
  begin(label: string, what: string): void;
  /** Something to be known of a run. */
  note(label: string, text: string): void;
  progress(label: string, message: ProgressMessage): void;
  /** @param outcome - `finished`, `failed`, `stopped`, or why it was left out. */
  end(label: string, outcome: string): void;
  stop(): void;
}

/** Milliseconds between the lines of a run's epochs, of which a head on features has hundreds in a few seconds. */
const APART_MS = 2000;

/**
 * Bars on a terminal, one for each run that is under way and one for the sweep; elsewhere lines: of epochs the first, the last and
 * one in two seconds.
 *
 * @param now - milliseconds
 */
export const sweepDisplay = (stream: NodeJS.WriteStream, total: number, now = () => performance.now()): SweepDisplay =>
  stream.isTTY ? bars(stream, total) : lines(stream, total, now);

const percent = (value: number | undefined): string => (value === undefined ? '–' : `${(100 * value).toFixed(1)} %`);

function bars(stream: NodeJS.WriteStream, total: number): SweepDisplay {
  const multi = new cliProgress.MultiBar({
    stream,
    hideCursor: true,
    clearOnComplete: false,
    linewrap: false,
    barsize: (stream.columns ?? 0) < 100 ? 10 : 40,
  });
  const overall = multi.create(total, 0, {}, { format: '{bar} {value} of {total} runs, {duration_formatted}' });
  const active = new Map<string, cliProgress.SingleBar>();
  return {
    begin(label) {
      const format = '{bar} {label}: epoch {epoch}, loss {loss}, test accuracy {accuracy}, {eta_formatted} left';
      active.set(label, multi.create(1, 0, { label, epoch: '0', loss: '–', accuracy: '–' }, { format }));
    },
    progress(label, { epoch, epochs, step, steps, loss, metrics }) {
      const bar = active.get(label);
      bar?.setTotal(epochs * steps);
      bar?.update((epoch - 1) * steps + step, {
        epoch: `${epoch} of ${epochs}`,
        loss: loss.toFixed(3),
        ...(metrics?.test ? { accuracy: percent(metrics.test.accuracy) } : {}),
      });
    },
    end(label, outcome) {
      const bar = active.get(label);
      if (bar) multi.remove(bar);
      active.delete(label);
      multi.log(`${label}: ${outcome}\n`);
      overall.increment();
      multi.update();
    },
    note: (label, text) => multi.log(`${label}: ${text}\n`),
    stop: () => multi.stop(),
  };
}

function lines(stream: NodeJS.WriteStream, total: number, now: () => number): SweepDisplay {
  let ended = 0;
  /** When each run's last line was written. */
  const written = new Map<string, number>();
  const line = (text: string): void => void stream.write(`[${ended} of ${total}] ${text}\n`);
  return {
    begin: (label, what) => line(`${label}: ${what}`),
    note: (label, text) => line(`${label}: ${text}`),
    progress(label, { epoch, epochs, metrics, loss }) {
      if (!metrics) return;
      const before = written.get(label) ?? Number.NEGATIVE_INFINITY;
      if (epoch < epochs && now() - before < APART_MS) return;
      written.set(label, now());
      const accuracy = metrics.test ? `, test accuracy ${percent(metrics.test.accuracy)}` : '';
      line(`${label}: epoch ${epoch} of ${epochs}, loss ${loss.toFixed(3)}${accuracy}`);
    },
    end(label, outcome) {
      ended++;
      line(`${label}: ${outcome}`);
    },
    stop() {},
  };
}
