import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf } from '../../errors.ts';
import { prefixed } from '../../util/prefixed.ts';
import { cutText, limits, safeName, toWire } from '../mlflow/validate.ts';
import { spoolDamaged, spoolEndsEarly, spoolNotOpened, spoolNotWritten, spoolUnreadable } from './errors.ts';
import { parseRecord, type RecordOf, type RunRecord, type SpoolRecord, spoolFiles, writtenRecord } from './records.ts';

/** Texts by name: parameters, tags. */
export type Texts = Readonly<Record<string, string>>;

/** Figures by name, as they are measured. */
export type Figures = Readonly<Record<string, number>>;

/** Points that share time and step, as they were written. */
export type Points = Pick<RecordOf<'metrics'>, 'time' | 'step' | 'values'>;

/** Writes a run's spool. No method throws, and none waits for anything but the disk. */
export interface SpoolWriter {
  readonly run: RunRecord;
  /** Whether the spool was there before: the run was resumed. */
  readonly isContinued: boolean;
  /**
   * Points of a step. Names are made ones that MLflow takes. What a metric has at this step or a later one already is
   * not written again: a resumed run trains some steps twice.
   */
  metrics(step: number, values: Figures, time?: number): void;
  /** Parameters. One that was written before keeps its value; a new value becomes the tag `resumed.<name>`. */
  params(values: Texts): void;
  tags(values: Texts): void;
  /** Milliseconds since 1970, never before those of a line that is there: a clock that is set back ends no run before it began. */
  now(): number;
  /** Any other line; `time` is now unless it says. */
  write(record: Other): void;
  /** The last points that a metric is among; null without one. */
  last(key: string): Points | null;
  /** Steps of the logged models. */
  readonly models: ReadonlySet<number>;
  /** Flushes to the disk, so that a power cut leaves it whole. */
  flush(): void;
  /** Once closed, nothing more is written. What could not be written by then is told. */
  close(): void;
}

type Untimed<T> = T extends { time: number } ? Omit<T, 'time'> & { time?: number } : never;
type Other = Untimed<RecordOf<'inputs' | 'artifact' | 'model' | 'status'>>;

/**
 * Opens the spool of a run directory, or goes on with the one that is there: a last line that a crash cut short is
 * taken away.
 *
 * @param first - what the run is, asked for where there is no spool yet.
 * @param onProblem - told each problem once.
 * @throws {TailmixError} SPOOL_DAMAGED, and SPOOL_NOT_WRITTEN where it cannot be opened, unless that may pass.
 */
export function openSpool(
  runDirectory: string,
  first: () => Omit<RunRecord, 'type' | 'format'>,
  onProblem: (error: Error) => void,
): SpoolWriter {
  const path = join(runDirectory, spoolFiles.spool);
  const found = existsSync(path) ? recover(path) : null;
  const lastPoints = found?.lastPoints ?? new Map<string, Points>();
  const models = found?.models ?? new Set<number>();
  const params = found?.params ?? new Map<string, string>();
  let file: number | undefined;
  let waiting: Buffer = Buffer.alloc(0);
  let hasFailed = false;
  let isOpen = true;

  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      if (!hasFailed) onProblem(spoolNotWritten(path, error));
      hasFailed = true;
    }
  };
  const opened = (): number => {
    const folder = dirname(path);
    if (file === undefined && !existsSync(folder)) mkdirSync(folder);
    file ??= openSync(path, 'a');
    return file;
  };
  const writeWaiting = (): void => {
    while (waiting.length > 0) waiting = waiting.subarray(writeSync(opened(), waiting));
  };
  try {
    opened();
  } catch (error) {
    if (!PASSING.has((error as NodeJS.ErrnoException).code ?? '')) throw spoolNotOpened(path, error);
  }
  let latest = found?.latest ?? 0;
  const now = (): number => Math.max(latest, Date.now());
  const append = (record: SpoolRecord): void => {
    if (!isOpen) return;
    latest = Math.max(latest, record.time);
    waiting = Buffer.concat([waiting, Buffer.from(`${writtenRecord(record)}\n`)]);
    attempt(writeWaiting);
  };
  const run: RunRecord = found?.run ?? { type: 'run', format: 1, ...checkedRun(first()) };
  if (!found) append(run);

  const tags = (values: Texts): void => {
    if (Object.keys(values).length > 0) append({ type: 'tags', time: now(), values: texts(values, limits.tagValue) });
  };
  return {
    run,
    now,
    isContinued: found !== null,
    tags,
    metrics(step, values, time = now()) {
      const fresh = Object.entries(values)
        .map(([key, value]) => [safeName(key), toWire(value)] as const)
        .filter(([key]) => step > (lastPoints.get(key)?.step ?? Number.NEGATIVE_INFINITY));
      if (fresh.length === 0 || !Number.isSafeInteger(step)) return;
      const points: Points = { time, step, values: Object.fromEntries(fresh) };
      for (const [key] of fresh) lastPoints.set(key, points);
      append({ type: 'metrics', ...points });
    },
    params(values) {
      const all = Object.entries(texts(values, limits.paramValue));
      const fresh = all.filter(([key]) => !params.has(key));
      const changed = all.filter(([key, value]) => params.has(key) && params.get(key) !== value);
      for (const [key, value] of fresh) params.set(key, value);
      if (fresh.length > 0) append({ type: 'params', time: now(), values: Object.fromEntries(fresh) });
      tags(prefixed('resumed.', Object.fromEntries(changed)));
    },
    write(record) {
      if (record.type === 'model') models.add(record.step);
      append({ time: now(), ...record } as SpoolRecord);
    },
    last: (key) => lastPoints.get(key) ?? null,
    models,
    flush() {
      attempt(() => {
        writeWaiting();
        fsyncSync(opened());
      });
    },
    close() {
      if (!isOpen) return;
      attempt(writeWaiting);
      isOpen = false;
      if (file !== undefined) closeSync(file);
      if (waiting.length > 0) onProblem(spoolEndsEarly(path, runDirectory));
    },
  };
}

/** What the system says of a file that may be opened later; folders that a faulty disk does not make are not there. */
const PASSING = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE', 'ENOENT', 'EROFS', 'EACCES', 'EPERM']);

/** Half a character cannot be sent. */
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\uFFFD');

/** Names and values that the server takes. */
const texts = (values: Texts, length: number): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [safeName(key), cutText(wellFormed(value), length)]));

const checkedRun = (run: Omit<RunRecord, 'type' | 'format'>): Omit<RunRecord, 'type' | 'format'> => ({
  ...run,
  name: cutText(wellFormed(run.name), limits.runName),
  experiment: cutText(wellFormed(run.experiment), limits.experimentName),
  tags: texts(run.tags, limits.tagValue),
});

function readWhole(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw spoolUnreadable(path, error);
  }
}

/** What a spool holds that going on with it needs; null for one without a whole line. */
function recover(path: string) {
  const bytes = readWhole(path);
  const whole = bytes.lastIndexOf('\n') + 1;
  if (whole < bytes.length) {
    try {
      const file = openSync(path, 'r+');
      ftruncateSync(file, whole);
      closeSync(file);
    } catch (error) {
      throw spoolNotOpened(path, error);
    }
  }
  if (whole === 0) return null;
  const lines = bytes.toString('utf8', 0, whole - 1).split('\n');
  const records = lines.flatMap((line): SpoolRecord[] => {
    try {
      return [parseRecord(line)];
    } catch (error) {
      if (line === lines[0]) throw spoolDamaged(path, messageOf(error).split('\n')[0]!);
      return [];
    }
  });
  const [run] = records;
  if (run?.type !== 'run') throw spoolDamaged(path, `it is of type ${run?.type}`);
  const lastPoints = new Map<string, Points>();
  const models = new Set<number>();
  const params = new Map<string, string>();
  let latest = 0;
  for (const record of records) {
    latest = Math.max(latest, record.time);
    if (record.type === 'params') for (const [key, value] of Object.entries(record.values)) params.set(key, value);
    if (record.type === 'model') models.add(record.step);
    if (record.type !== 'metrics') continue;
    const { time, step, values } = record;
    for (const key of Object.keys(values))
      if (step >= (lastPoints.get(key)?.step ?? step)) lastPoints.set(key, { time, step, values });
  }
  return { run, lastPoints, models, params, latest };
}
