import { systemRefused, TailmixError } from '../../errors.ts';

const run = (code: string, message: string, cause?: unknown): TailmixError =>
  new TailmixError(message, cause === undefined ? { code } : { code, cause });

const replaceAdvice = ' Replace the file, or set data.onCorrupt to skip.';
const scaleAdvice = ' Set data.imageSize (image-folder) to scale images, or data.onCorrupt to skip.';

/** A message about one image without the advice, which is the same for all of them. */
export const withoutAdvice = (message: string): string =>
  [replaceAdvice, scaleAdvice].reduce(
    (text, advice) => (text.endsWith(advice) ? text.slice(0, -advice.length) : text),
    message,
  );

/** A file that is no readable image. */
export const badImage = (path: string, reason: string, cause: unknown): TailmixError =>
  run('DATA_IMAGE', `${path}: expected a readable image; got "${firstLine(reason)}".${replaceAdvice}`, cause);

/** Whether an error says that a file is no readable image, and not that it could not be looked at. */
export const isBadImage = (error: unknown): boolean => error instanceof TailmixError && error.code === 'DATA_IMAGE';

/** The system does not give an image, whatever is in it. */
export const imageRefused = (path: string, cause: unknown): TailmixError =>
  run('DATA_READ', `${path}: expected an image that can be read; ${systemRefused(cause, 'take it out')}`, cause);

function firstLine(reason: string): string {
  const line = reason.split('\n')[0]!.replace(/:?\s*$/, '');
  // What sharp says where libvips says nothing: of a header with another checksum.
  return line === 'Unknown error' ? 'damaged data' : line;
}

/** An image that is to be classified and cannot be read. */
export const inputUnreadable = (path: string, reason: string, cause: unknown): TailmixError =>
  run('IMAGE_UNREADABLE', `${path}: expected a readable image; got "${firstLine(reason)}". Name another file.`, cause);

/** An image that a model cannot take: of another number of channels. */
export const wrongChannels = (path: string, expected: string, got: string): TailmixError =>
  run('IMAGE_CHANNELS', `${path}: expected ${expected}; got ${got}. Convert it to what the run was trained on.`);

/** An image of another size than the rest. */
export const wrongSize = (path: string, expected: readonly number[], got: readonly number[]): TailmixError =>
  run(
    'DATA_IMAGE',
    `${path}: expected ${expected.join(' x ')} pixels (height x width); got ${got.join(' x ')}.${scaleAdvice}`,
  );

/** Every image of a split was skipped. */
export const nothingReadable = (folder: string, skipped: number): TailmixError =>
  run('DATA_EMPTY', `${folder}: expected readable images; all ${skipped} were skipped. Check the files.`);

/** Files of a split came, went or changed while they were packed, and some could not be read. */
export const filesChanged = (folder: string, skipped: string): TailmixError =>
  run(
    'DATA_CHANGED',
    `${folder}: expected files that stay as they are while they are read; some came, went or changed, and could not be read (${skipped}). Check that the folder is whole, and try again.`,
  );

/** A packed file is not readable right after it was written. */
export const cacheUnwritable = (path: string): TailmixError =>
  run('DATA_CACHE', `${path}: expected the packed file just written; it cannot be read back. Check the disk.`);

/** A packed file cannot be written. */
export const cacheNotWritten = (path: string, cause: unknown): TailmixError =>
  run(
    'DATA_CACHE',
    `${path}: expected to write packed images there; ${systemRefused(cause, 'choose another cache with TAILMIX_CACHE')}`,
    cause,
  );
