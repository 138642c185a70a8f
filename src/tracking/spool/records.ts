import { crc32 } from 'node:zlib';
import { z } from 'zod';

const wireNumber = z.union([z.number(), z.literal(['NaN', 'Infinity', '-Infinity'])]);
const texts = z.record(z.string(), z.string());
const metricValues = z.record(z.string(), wireNumber);
/** Milliseconds since 1970: when it happened, however late it is sent. */
const time = z.int().min(0);

const dataset = z.object({
  name: z.string(),
  digest: z.string(),
  context: z.string(),
  sourceType: z.string(),
  source: z.string(),
  schema: z.string().exactOptional(),
  profile: z.string().exactOptional(),
});

/** A file of the run directory, and where it goes below the run's (or model's) artifacts. */
const artifact = z.object({
  /** Parts between `/`. */
  path: z.string(),
  /** Relative to the run directory. */
  file: z.string(),
});

/** First line of a spool: makes the run. `time` is its start. */
const run = z.object({
  type: z.literal('run'),
  time,
  /** Format of the spool. */
  format: z.literal(1),
  /** Identity of the run wherever it is sent: the tag `tailmix.uid`, by which it is found before it is made again. */
  uid: z.string(),
  /** Name of its experiment. */
  experiment: z.string(),
  name: z.string(),
  tags: texts,
  /** Tags that its experiment gets where it lacks them. */
  experimentTags: texts.exactOptional(),
  /** Run that this one is a part of: its uid, and its run directory relative to this one. */
  parent: z.object({ uid: z.string(), directory: z.string() }).exactOptional(),
});

const spoolRecord = z.discriminatedUnion('type', [
  run,
  z.object({ type: z.literal('params'), time, values: texts }),
  z.object({ type: z.literal('tags'), time, values: texts }),
  /** Points that share time and step. */
  z.object({ type: z.literal('metrics'), time, step: z.int(), values: metricValues }),
  z.object({ type: z.literal('inputs'), time, datasets: z.array(dataset) }),
  artifact.extend({ type: z.literal('artifact'), time }),
  /** A logged model of MLflow 3; `metrics` are points of the run that it is linked to, with their own time and step. */
  z.object({
    type: z.literal('model'),
    time,
    /** Of the model; the same name again is a newer model. */
    name: z.string(),
    kind: z.string(),
    step: z.int(),
    params: texts,
    tags: texts,
    files: z.array(artifact),
    /** An export of the run for MLflow, relative to the run directory: its files are the model's too. */
    folder: z.string().exactOptional(),
    /** `dataset`: name and digest of an input that they were measured on. */
    metrics: z
      .object({
        time,
        step: z.int(),
        values: metricValues,
        dataset: z.object({ name: z.string(), digest: z.string() }).exactOptional(),
      })
      .exactOptional(),
  }),
  /** `RUNNING` where a run goes on; otherwise `time` is its end. */
  z.object({ type: z.literal('status'), time, status: z.enum(['RUNNING', 'FINISHED', 'FAILED', 'KILLED']) }),
]);

/** First line of a spool. */
export type RunRecord = z.infer<typeof run>;
/** A file of the run directory, and where it goes. */
export type Artifact = z.infer<typeof artifact>;
/** A line of a spool. */
export type SpoolRecord = z.infer<typeof spoolRecord>;
/** A line of a spool of one type. */
export type RecordOf<Type extends SpoolRecord['type']> = Extract<SpoolRecord, { type: Type }>;

/** How a run ended, and when. */
export type RunEnd = Pick<RecordOf<'status'>, 'status' | 'time'>;

/** A line, without its newline: the record and a checksum of it. */
export const writtenRecord = (record: SpoolRecord): string => JSON.stringify({ ...record, crc: checksumOf(record) });

/** Reads a line; throws what Zod or JSON throws, and where its checksum differs. One without is taken as it is. */
export function parseRecord(line: string): SpoolRecord {
  const { crc, ...record } = JSON.parse(line);
  if (crc !== undefined && crc !== checksumOf(record)) throw new Error('its checksum differs');
  return spoolRecord.parse(record);
}

/** CRC-32 in eight hex digits. */
const checksumOf = (record: object): string => crc32(JSON.stringify(record)).toString(16).padStart(8, '0');

/** What is kept for MLflow in a run directory, relative to it. */
export const spoolFiles = {
  folder: 'mlflow',
  spool: 'mlflow/spool.jsonl',
  /** How far each server has it. */
  sent: 'mlflow/sent.json',
  /** The trained model in MLflow's own form. */
  model: 'mlflow/model',
} as const;
