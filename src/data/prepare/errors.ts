import { systemRefused, TailmixError } from '../../errors.ts';

const config = (code: string, message: string): TailmixError => new TailmixError(message, { code, kind: 'config' });
const run = (code: string, message: string, cause?: unknown): TailmixError =>
  new TailmixError(message, cause === undefined ? { code } : { code, cause });

/** An option about archives, for a data set that comes in none. */
export const noSource = (option: string, name: string): TailmixError =>
  config(
    'PREPARE_OPTION',
    `${option}: expected a data set that is fetched; "${name}" comes in no archive that tailmix knows. Leave ${option} out, or put its images under the data root.`,
  );

/** `--from` names nothing, or none of the archives. */
export const fromMissing = (path: string, files: readonly string[]): TailmixError =>
  config(
    'PREPARE_FROM',
    `--from ${path}: expected ${files.join(' and ')}, or a folder with ${files.length > 1 ? 'them' : 'it'}; found none. Check the path and the name.`,
  );

/** A file given with `--from` is another one than was published. */
export const fromWrong = (path: string, file: string, expected: string): TailmixError =>
  config(
    'PREPARE_FROM',
    `--from ${path}: expected ${file} as it was published (${expected}); got another file, or a part of it. Download it again.`,
  );

/** What the file must be, in words. */
export const describeCheck = (size: number | null, hash: { algorithm: string; digest: string } | null): string =>
  [
    ...(size === null ? [] : [`${size} bytes`]),
    ...(hash === null ? [] : [`${hash.algorithm.toUpperCase()} ${hash.digest}`]),
  ].join(', ') || 'not empty';

/** No server gave an archive. */
export const notFetched = (file: string, reason: string, cause: unknown): TailmixError =>
  run(
    'PREPARE_FETCH',
    `${reason}\nRun it again to go on, or fetch ${file} in another way and give it with --from.`,
    cause,
  );

/** An archive that cannot be read to its end. */
export const archiveDamaged = (archive: string, reason: string, cause?: unknown): TailmixError =>
  run('ARCHIVE_DAMAGED', `${archive}: expected a whole archive; got "${reason}". Download it again.`, cause);

/** An archive with something in it that could reach outside the folder. Nothing of it is kept. */
export const archiveUnsafe = (archive: string, entry: string, what: string): TailmixError =>
  run(
    'ARCHIVE_UNSAFE',
    `${archive}: expected plain files and folders below one folder; got ${what} (${JSON.stringify(entry)}). Nothing was kept: use the published archive.`,
  );

/** An archive that unpacks to more than the data set is. Nothing of it is kept. */
export const archiveTooLarge = (archive: string, what: string): TailmixError =>
  run(
    'ARCHIVE_TOO_LARGE',
    `${archive}: expected at most ${what} in it; got more. Nothing was kept: use the published archive.`,
  );

/** An unpacked archive without what it should hold. */
export const archiveIncomplete = (archive: string, expected: string, got: string): TailmixError =>
  run('ARCHIVE_CONTENT', `${archive}: expected ${expected} in it; got ${got}. Use the published archive.`);

/** Something else lies where the data would go. */
export const placeTaken = (path: string, expected: string, got: string): TailmixError =>
  run('PREPARE_PLACE', `${path}: expected ${expected}; got ${got}. Remove it, or replace it with --force.`);

/** Too little room for archive and data. */
export const noRoom = (root: string, neededMb: number, freeMb: number): TailmixError =>
  run(
    'PREPARE_ROOM',
    `${root}: expected ${neededMb} MB free; it has ${freeMb} MB. Free some, or choose another folder with --data-root or TAILMIX_DATA.`,
  );

/** The data root cannot be written, or another error of the system. */
export const rootUnusable = (root: string, cause: unknown): TailmixError =>
  run(
    'PREPARE_ROOT',
    `${root}: expected a folder that can be written; ${systemRefused(cause, 'choose another with --data-root or TAILMIX_DATA')}`,
    cause,
  );
