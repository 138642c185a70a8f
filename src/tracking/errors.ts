import { basename } from 'node:path';
import { displayPath, messageOf, systemCure, TailmixError } from '../errors.ts';
import type { SnapshotBackbone } from '../run.ts';

const run = (code: string, message: string, cause?: unknown): TailmixError =>
  new TailmixError(message, cause === undefined ? { code } : { code, cause });

/** A file that does not follow the safetensors format, or was cut short. */
export const damagedTensorFile = (path: string, found: string): TailmixError =>
  run('CHECKPOINT_DAMAGED', `${path}: expected a complete safetensors file; ${found}. Use an earlier checkpoint.`);

/** A checkpoint whose earlier epochs are neither in their file nor in `metrics.jsonl`. */
export const historyMissing = (path: string, file: string): TailmixError =>
  run(
    'CHECKPOINT_DAMAGED',
    `${path}: expected the metrics of its earlier epochs in ${file}, which is missing or changed, and metrics.jsonl does not have them. Put that file or metrics.jsonl back, or use an earlier checkpoint.`,
  );

/** A safetensors file that is whole, but no checkpoint. */
export const notACheckpoint = (path: string, missing: string): TailmixError =>
  run(
    'CHECKPOINT_FOREIGN',
    `${path}: expected a tailmix checkpoint; ${missing}. Point at a file that tailmix wrote below checkpoints/.`,
  );

const shortOf = (sha256: string): string => `${sha256.slice(0, 12)}…`;

/** A checkpoint whose backbone's file is nowhere. */
export const backboneMissing = (
  path: string,
  { name, file, path: place, sha256 }: Pick<SnapshotBackbone, 'name' | 'file' | 'path' | 'sha256'>,
  { others, own }: { others: readonly string[]; own: string },
): TailmixError =>
  run(
    'CHECKPOINT_BACKBONE',
    `${path}: expected the file of its backbone, ${name} with SHA-256 ${shortOf(sha256)}, some of whose weights it leaves out; ` +
      `${others.length > 0 ? `got another file at ${others.map(displayPath).join(' and ')}` : `it is neither in the cache nor at ${displayPath(place)}`}.\n` +
      `  Put ${basename(file)} back there, or into ${displayPath(own)}.`,
  );

/** A file of a backbone that is read into other values than those a run had. */
export const backboneDiffers = (path: string, { name, weights }: SnapshotBackbone, file: string): TailmixError =>
  run(
    'CHECKPOINT_BACKBONE',
    `${path}: expected the ${weights.length} weights of ${name} that the run had; ${displayPath(file)} has its checksum, and is read into others here. Use the version of tailmix that wrote the checkpoint.`,
  );

/** A checkpoint that cannot be opened. */
export const unreadableCheckpoint = (path: string, cause: unknown): TailmixError =>
  run(
    REFUSED.has(codeOf(cause)) ? 'CHECKPOINT_UNREADABLE' : 'CHECKPOINT_MISSING',
    `${path}: expected a checkpoint; it cannot be read (${messageOf(cause)}). ${faultOr(cause, 'Check the path and its permissions.')}`,
    cause,
  );

const codeOf = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? '';

/** What the system says where neither the path nor its permissions are at fault. */
const FAULTS = new Set(['EIO', 'EMFILE', 'ENFILE']);
const faultOr = (cause: unknown, cure: string): string =>
  (FAULTS.has(codeOf(cause)) ? systemCure(cause) : null) ?? cure;

/** What the system says where a file may be whole, and cannot be read now. */
const REFUSED = new Set(['EACCES', 'EPERM', 'EMFILE', 'ENFILE', 'ENOMEM', 'EBUSY', 'ESTALE', 'ETIMEDOUT']);

/** A state that has diverged since the last loss, which was finite. */
export const stateNotFinite = (path: string, epoch: number, name: string, values: Float32Array): TailmixError =>
  run(
    'STATE_NOT_FINITE',
    `epoch ${epoch}: expected finite weights and optimizer state, got ${values.find((value) => !Number.isFinite(value))} in ${name} ` +
      `(${values.filter((value) => !Number.isFinite(value)).length} of ${values.length} values). ${path} is not written; the checkpoint before is kept.\n` +
      '  Lower train.optimizer.learningRate, warm it up with lr-schedule, or clip gradients.',
  );

/** Nothing to resume from. */
export const noCheckpoint = (runDirectory: string): TailmixError =>
  run(
    'CHECKPOINT_MISSING',
    `${runDirectory}: expected a checkpoint in checkpoints/, found none. ` +
      'The run ended before its first one, or ran without the checkpoint plugin; tailmix train --resume starts it from its beginning.',
  );

/** Every checkpoint of a run is damaged. */
export const allCheckpointsDamaged = (runDirectory: string, damaged: readonly TailmixError[]): TailmixError =>
  run(
    'CHECKPOINT_DAMAGED',
    `${runDirectory}: expected a readable checkpoint, but each of the ${damaged.length} found is damaged:\n` +
      `${damaged.map(({ message }) => `  ${message}`).join('\n')}\n  Restore one of them, or start the run again in another folder.`,
  );

/** Another checkpoint than the newest would be used, and `--strict` says no. */
export const newestIsDamaged = (runDirectory: string, damaged: readonly TailmixError[]): TailmixError =>
  run(
    'CHECKPOINT_DAMAGED',
    `${runDirectory}: expected its newest checkpoint to be whole, because of --strict.\n` +
      `${damaged.map(({ message }) => `  ${message}`).join('\n')}\n  Without --strict, the one before is used.`,
  );

/** `--checkpoint` with something that the run does not have. */
export const checkpointNotFound = (runDirectory: string, wanted: string, known: readonly string[]): TailmixError =>
  new TailmixError(
    `--checkpoint ${wanted}: expected last, best, an epoch or a file, and found none of that name.\n  ${runDirectory} has ${known.join(', ') || 'no checkpoint'}.` +
      (wanted === 'best' ? ' The best epoch is kept with `checkpoint.best` in the config.' : ''),
    { code: 'CHECKPOINT_NOT_FOUND', kind: 'config' },
  );

const isGone = (cause: unknown): boolean => {
  const { code, syscall } = cause as NodeJS.ErrnoException;
  return code === 'ENOENT' && syscall !== 'mkdir';
};
const GONE = 'Its folder is gone: put it back, or choose another place.';

/** A file of a run could not be written: disk full, no permission, a folder that is gone. */
export const writeFailed = (path: string, cause: unknown): TailmixError =>
  run(
    'WRITE_FAILED',
    `${path}: could not be written (${messageOf(cause)}). ${isGone(cause) ? GONE : (systemCure(cause) ?? 'Choose another --out.')}`,
    cause,
  );

/** A run directory that already holds a run. */
export const directoryTaken = (directory: string): TailmixError =>
  new TailmixError(
    `${directory}: expected a new or empty folder for the run, but it holds a run already. ` +
      'Choose another --out, or continue that run with --resume.',
    { code: 'RUN_EXISTS', kind: 'config' },
  );

/** A folder with files of a run that has lost its config. */
export const directoryUsed = (directory: string, found: readonly string[]): TailmixError =>
  new TailmixError(
    `${directory}: expected a new or empty folder for the run, but it holds ${found.join(', ')} of another run or of a sweep, and no config.yaml. ` +
      'Choose another --out, or move them away.',
    { code: 'RUN_EXISTS', kind: 'config' },
  );

/** No run of that name or path. */
export const runNotFound = (wanted: string, root: string, known: readonly string[]): TailmixError =>
  new TailmixError(
    `run "${wanted}": expected a run directory, or the name of a run in ${root}; found neither. ` +
      (known.length > 0 ? `Newest there: ${known.join(', ')}.` : 'There are no runs there yet.'),
    { code: 'RUN_MISSING', kind: 'config' },
  );

/** A folder that is empty but for a lock: a run that was killed before it wrote its config leaves one. */
export const runNotBegun = (directory: string): TailmixError =>
  new TailmixError(
    `${directory}: expected a run, but there is none in it: none was started there, or it ended before it wrote its config. ` +
      `Start it with tailmix train CONFIG --out ${directory}.`,
    { code: 'RUN_MISSING', kind: 'config' },
  );

/** A line of `metrics.jsonl`, or another JSON file of a run, that does not parse. */
export const damagedRunFile = (path: string, where: string): TailmixError =>
  run(
    'RUN_DAMAGED',
    `${path}: expected JSON, ${where} is none. The file was changed or cut. Restore it, or resume the run, which writes it again.`,
  );

/** A run that has not ended has no figures. */
export const summaryMissing = (runDirectory: string): TailmixError =>
  run(
    'RUN_UNFINISHED',
    `${runDirectory}: expected a run that has ended; it has no summary.json. Let it end, or evaluate a checkpoint.`,
  );

/** Logits that a run has not kept. */
export const logitsMissing = (path: string, cause: NodeJS.ErrnoException): TailmixError =>
  new TailmixError(
    `${path}: expected the logits of the last evaluation; ${cause.code === 'ENOENT' ? 'there is no such file' : cause.message}. ` +
      'A run keeps them when it ends, unless evaluate.keepLogits is false or they are more than 100 million numbers; ' +
      'evaluate it without --from-logits.',
    { code: 'RUN_LOGITS', kind: 'config', cause },
  );

/** Logits that are not what was written. */
export const logitsDamaged = (path: string, found: string): TailmixError =>
  run(
    'RUN_LOGITS_DAMAGED',
    `${path}: expected the logits that the run wrote; ${found}. Evaluate the run without --from-logits.`,
  );

/** A file of a run that is not what the run wrote. */
export const changedRunFile = (path: string): TailmixError =>
  run(
    'RUN_DAMAGED',
    `${path}: expected what the run wrote; its checksum differs. The file was changed or damaged. Restore it, or resume the run, which writes it again.`,
  );

/**
 * Settings that are not those of a checkpoint.
 *
 * @param other - settings that this version reads otherwise than they are written
 */
export const configDiffers = (path: string, trained: string, found: string, other: readonly string[]): TailmixError =>
  new TailmixError(
    `${path}: expected the settings that the checkpoint was trained with (hash ${trained.slice(0, 8)}), got others (hash ${found.slice(0, 8)}).\n${
      other.length > 0
        ? `  ${listed(other)} ${are(other)} not in the file as this tailmix resolves ${them(other)}: another version wrote the run, or the file was changed.`
        : '  The file, or the file of a plugin that it names, was changed or damaged: restore it.'
    }`,
    { code: 'CONFIG_DIFFERS', kind: 'config' },
  );

/** Why the settings of a run are not those of another version. */
export const resolvedOtherwise = (trained: string, found: string, other: readonly string[]): string =>
  other.length > 0
    ? `${listed(other)} ${are(other)} not in config.yaml as this version resolves ${them(other)} (hash ${trained.slice(0, 8)} became ${found.slice(0, 8)})`
    : `its settings have another hash (${found.slice(0, 8)}, trained with ${trained.slice(0, 8)}), or config.yaml was changed`;

const are = ({ length }: readonly string[]): string => (length === 1 ? 'is' : 'are');
const them = ({ length }: readonly string[]): string => (length === 1 ? 'it' : 'them');

/** The first few of some names. */
const listed = (names: readonly string[], most = 4): string =>
  names.length > most ? `${names.slice(0, most).join(', ')} and ${names.length - most} more` : names.join(', ');

const RESTORE = 'Restore it, or remove it and resume the run, which writes it again.';

/** A file of a run that the system refuses to read. */
export const unreadableRunFile = (path: string, cause: unknown): TailmixError =>
  run(
    'RUN_UNREADABLE',
    `${path}: expected to read it; the system refused (${messageOf(cause)}). ${faultOr(cause, RESTORE)}`,
    cause,
  );

/** A run of a later version. */
export const runIsNewer = (directory: string, writer: string, own: string): TailmixError =>
  new TailmixError(
    `${directory}: expected a run of tailmix ${own} or earlier; tailmix ${writer} wrote it. Update tailmix.`,
    { code: 'RUN_NEWER', kind: 'config' },
  );

/** A run of another version, which this one does not read as it was written. */
export const runOfOtherVersion = (directory: string, writer: string, own: string, reason: string): TailmixError =>
  new TailmixError(
    `${directory}: expected a run that tailmix ${own} reads as it was written; tailmix ${writer} wrote it, and here\n` +
      `  ${reason.replace(/\.$/, '')}.\n` +
      `  Use it with tailmix ${writer} (npx tailmix@${writer} …), or train it again: docs/upgrading.md.`,
    { code: 'RUN_OTHER_VERSION', kind: 'config' },
  );
