import { SingleBar } from 'cli-progress';
import type { OnBytes } from '../download/download.ts';
import { progressStream } from './output.ts';

/** Callbacks that show work in stages on standard error. */
export interface StageProgress {
  onStage: (stage: string) => void;
  onBytes: OnBytes;
  /** `done` of `total` images. */
  onImages: (done: number, total: number) => void;
  stop: () => void;
}

/** A bar of megabytes or images on a terminal; elsewhere one line per stage and per tenth of it. */
export function stageProgress(stream: NodeJS.WriteStream = progressStream()): StageProgress {
  let bar: SingleBar | null = null;
  let tenths = 0;
  const stop = (): void => {
    bar?.stop();
    bar = null;
    tenths = 0;
  };
  const onStage = (stage: string): void => {
    stop();
    stream.write(`${stage} …\n`);
  };
  const show = (done: number, all: number, unit: string): void => {
    if (stream.isTTY) {
      if (bar === null) {
        const format = `  {bar} {value} of {total} ${unit}, {eta_formatted} left`;
        bar = new SingleBar({ stream, format, hideCursor: true });
        bar.start(all, done);
      }
      bar.update(done);
    } else if (Math.floor((10 * done) / all) > tenths) {
      tenths = Math.floor((10 * done) / all);
      stream.write(`  ${done} of ${all} ${unit}\n`);
    }
  };
  return {
    onStage,
    onBytes(received, total) {
      if (total !== null && total > 0) show(Math.round(received / 1e6), Math.max(1, Math.round(total / 1e6)), 'MB');
    },
    onImages: (done, total) => show(done, total, 'images'),
    stop,
  };
}
