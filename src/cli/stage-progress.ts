import { SingleBar } from 'cli-progress';
import type { ReadProgress } from '../data/types.ts';
import type { OnBytes } from '../download/download.ts';
import { displayPath } from '../errors.ts';
import { fileSize } from '../util/file-size.ts';
import { grouped } from '../util/grouped.ts';
import { progressStream, tell } from './output.ts';

/** From here on, in bytes, a packed file is worth a word about what would make it less than half as large. */
const LARGE = 1e8;

/** How large a packed file will be, before it is made. */
export const packingText = ({
  split,
  total,
  bytes,
  fileBytes = bytes,
  backbone,
}: Parameters<ReadProgress>[0]): string => {
  const images = `${grouped(total)} ${total === 1 ? 'image' : 'images'}`;
  const instead =
    bytes >= LARGE && 2 * fileBytes < bytes ? ` (data.pack: files needs ${fileSize(fileBytes)}, and is slower)` : '';
  const work = backbone === undefined ? 'packing' : `features of ${backbone},`;
  return `${work} ${displayPath(split)}: ${images}, ${fileSize(bytes)} in the cache folder${instead}`;
};

/** Callbacks that show work in stages on standard error. */
export interface StageProgress {
  onStage: (stage: string) => void;
  onBytes: OnBytes;
  /** `done` of `total` images. */
  onImages: (done: number, total: number) => void;
  /** Packs a split: a stage of images. */
  onRead: ReadProgress;
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
  let packed = '';
  const onImages = (done: number, total: number): void => show(done, total, 'images');
  return {
    onStage,
    onBytes(received, total) {
      if (total !== null && total > 0) show(Math.round(received / 1e6), Math.max(1, Math.round(total / 1e6)), 'MB');
    },
    onImages,
    onRead(progress) {
      if (progress.split !== packed) onStage(packingText(progress));
      packed = progress.split;
      onImages(progress.done, progress.total);
    },
    stop,
  };
}

/** A line when a packed file is begun, then one a second while images are decoded. */
export function readingReporter(): ReadProgress {
  let last = performance.now();
  let current = '';
  return (progress) => {
    const { split, done, total } = progress;
    if (split !== current) tell(packingText(progress));
    current = split;
    if (performance.now() - last < 1000) return;
    last = performance.now();
    tell(`reading ${displayPath(split)}: ${done} of ${total} images`);
  };
}
