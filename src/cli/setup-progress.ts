import process from 'node:process';
import { SingleBar } from 'cli-progress';
import type { OnBytes } from '../backend/download.ts';

/** Callbacks that show a set-up on standard error. */
export interface SetupProgress {
  onStage: (stage: string) => void;
  onBytes: OnBytes;
  stop: () => void;
}

/** A bar of megabytes on a terminal; elsewhere one line per stage and per tenth of the bytes. */
export function setupProgress(stream: NodeJS.WriteStream = process.stderr): SetupProgress {
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
  const onBytes: OnBytes = (received, total) => {
    if (total === null) return;
    const [done, all] = [Math.round(received / 1e6), Math.round(total / 1e6)];
    if (stream.isTTY) {
      if (bar === null) {
        bar = new SingleBar({
          stream,
          format: '  {bar} {value} of {total} MB, {eta_formatted} left',
          hideCursor: true,
        });
        bar.start(all, done);
      }
      bar.update(done);
    } else if (Math.floor((10 * received) / total) > tenths) {
      tenths = Math.floor((10 * received) / total);
      stream.write(`  ${done} of ${all} MB\n`);
    }
  };
  return { onStage, onBytes, stop };
}
