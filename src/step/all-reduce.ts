import { attribute, type NativeBackend } from '../backend/kernels/native-op.ts';
import { GROUP } from '../cluster/protocol.ts';
import type { HostArray } from '../graph/index.ts';
import { MODEL_SEED } from '../models/dropout.ts';
import { type NamedTensors, tf } from '../tf.ts';
import { concatenate } from '../util/concatenate.ts';
import { sumInRing } from './ring.ts';
import type { InputSpec } from './types.ts';

/** Among how many a step's replicas are shared out. */
export interface Parts {
  /** Processes of a cluster, or devices of one process: each has as many replicas. They divide R. */
  processes: number;
}

/** Which part of a step's replicas a process of a cluster computes. */
export interface Share extends Parts {
  /** 0…processes − 1: the process has the rank-th R/processes replicas. */
  rank: number;
}

/** A sum has a key of its own by its place and length: the same key never has another shape, in whatever graph. */
const keyOf = (place: number, length: number): number => length * 256 + place;

/** Place of what is summed in addition to the values. */
const ROWS = 255;

/**
 * The sum of a bucket over all replicas, from vectors of those of this process or device, by TensorFlow's own collectives: in a ring where
 * each has one replica; else all vectors are gathered, and summed here in the order that a ring of R has.
 *
 * @param own - `[n]` each
 * @param place - of the bucket in a step
 */
export function sumOverParts(own: readonly tf.Tensor[], place: number, { processes }: Parts): tf.Tensor {
  const key = keyOf(place, own[0]!.size);
  if (own.length === 1) return reduce(own[0]!, processes, key);
  return sumInRing(tf.unstack(gather(tf.stack([...own]), processes, key)));
}

/**
 * Rows of all, of those of this process or device, and sums of vectors.
 *
 * @param own - `[rows, …]` by name; float32, or whole numbers below 2²⁴
 * @param vectors - summed over all
 * @returns `rows` float32, `[processes · rows, …]`
 */
export function rowsOfAll(
  own: NamedTensors,
  vectors: readonly tf.Tensor[],
  { processes }: Parts,
): { rows: NamedTensors; sums: tf.Tensor[] } {
  const arrays = Object.entries(own);
  const sent = tf.concat([...arrays.map(([, array]) => array.cast('float32').reshape([-1])), ...vectors], 0);
  const all = gather(sent.expandDims(0), processes, keyOf(ROWS, sent.size));
  const parts = tf.split(all, [...arrays.map(([, { size }]) => size), ...vectors.map(({ size }) => size)], 1);
  const rows = arrays.map(([name, { shape }], i) => [
    name,
    parts[i]!.reshape([processes * shape[0]!, ...shape.slice(1)]),
  ]);
  return { rows: Object.fromEntries(rows), sums: parts.slice(arrays.length).map((part) => part.sum(0)) };
}

const reduce = (x: tf.Tensor, processes: number, key: number): tf.Tensor =>
  collective('CollectiveReduceV2', x, [processes, GROUP, key], { merge_op: 'Add', final_op: 'Id' });

const gather = (x: tf.Tensor, processes: number, key: number): tf.Tensor =>
  collective('CollectiveGatherV2', x, [processes, GROUP, key], {});

function collective(
  op: string,
  x: tf.Tensor,
  keys: readonly number[],
  texts: Readonly<Record<string, string>>,
): tf.Tensor {
  const backend = tf.backend() as unknown as NativeBackend;
  const attributes = [
    attribute(backend, 'T', 'TYPE', backend.binding.TF_FLOAT),
    ...Object.entries({ ...texts, communication_hint: 'ring' }).map(([name, value]) =>
      attribute(backend, name, 'STRING', value),
    ),
    attribute(backend, 'Nordering_token', 'INT', 0),
  ];
  const inputs = [x, ...keys.map((key) => tf.scalar(key, 'int32'))];
  return backend.executeMultipleOutputs(op, attributes, inputs, 1)[0]!;
}

/** Of a step that is shared out: rows of the whole batch, and its replicas. */
export interface SharedRows {
  /** B, rows of the whole batch. */
  size: number;
  /** Rows that were loaded for it, B and those of each group. */
  pool: number;
  /** R. Default: one for each part. */
  replicas?: number;
}

type Specs = Readonly<Record<string, InputSpec>>;
const hasRows = ({ shape }: InputSpec): boolean => shape.some((length) => typeof length === 'string');

/**
 * A process's rows of what a step is fed: of each axis that has rows. What has none is the same for all, and so are
 * images, of which a process loads its own alone. The model's seed is that of its first replica.
 */
export function feedsOf(
  feeds: Readonly<Record<string, HostArray>>,
  specs: Specs,
  rows: SharedRows,
  share: Share,
): Record<string, HostArray> {
  const own: Record<string, HostArray> = { ...feeds };
  for (const [name, values] of Object.entries(feeds)) {
    const spec = specs[name];
    if (name === MODEL_SEED) own[name] = seedOf(values, rows, share);
    else if (name !== 'images' && spec && hasRows(spec)) own[name] = ownRows(values, spec, rows, share);
  }
  return own;
}

/**
 * What all of several devices are fed: of inputs that have rows, and of the model's seed, the parts of each device behind one
 * another.
 */
export function feedsOfAll(
  feeds: Readonly<Record<string, HostArray>>,
  specs: Specs,
  rows: SharedRows,
  { processes }: Parts,
): Record<string, HostArray> {
  const all: Record<string, HostArray> = { ...feeds };
  for (const [name, values] of Object.entries(feeds)) {
    const spec = specs[name];
    const isSeed = name === MODEL_SEED;
    // Rows of a batch without groups are in the order of devices as they are.
    const inOrder = spec?.shape.filter((length) => typeof length === 'string').length === 1 && rows.pool === rows.size;
    if (!isSeed && (!spec || !hasRows(spec) || (inOrder && typeof spec.shape[0] === 'string'))) continue;
    const parts = Array.from({ length: processes }, (_, rank) =>
      isSeed ? seedOf(values, rows, { rank, processes }) : ownRows(values, spec!, rows, { rank, processes }),
    );
    all[name] = concatenate(values.constructor as Int32ArrayConstructor, parts as Int32Array[]);
  }
  return all;
}

/** Seeds of a replica's model are as far from that of the step as the replica is from the first. */
const seedOf = ([first, second]: HostArray, { replicas }: SharedRows, { rank, processes }: Share): Int32Array =>
  Int32Array.of(first! + rank * ((replicas ?? processes) / processes), second!);

function ownRows(values: HostArray, { shape }: InputSpec, { size, pool }: SharedRows, share: Share): HostArray {
  const axes = shape.map((length) => {
    if (typeof length === 'number') return { length, taken: null };
    const rows = length === 'batch' ? size : pool;
    return { length: rows, taken: rowsOfShare(rows, size, share) };
  });
  return takeRows(values, axes);
}

/** Rows of a process, of a batch and of the groups that follow it. */
export function rowsOfShare(pool: number, size: number, { rank, processes }: Share): Int32Array {
  const own = size / processes;
  return Int32Array.from({ length: pool / processes }, (_, i) => Math.floor(i / own) * size + rank * own + (i % own));
}

/** Elements of an array at some positions of its axes; all of an axis where none are named. */
export function takeRows(values: HostArray, axes: readonly { length: number; taken: Int32Array | null }[]): HostArray {
  const last = axes.findLastIndex(({ taken }) => taken !== null);
  // What lies behind the last axis of which some are taken is copied as it is.
  const block = axes.slice(last + 1).reduce((product, { length }) => product * length, 1);
  const places = axes.slice(0, last + 1).reduce<Int32Array>((before, { length, taken }) => {
    const at = taken ?? Int32Array.from({ length }, (_, i) => i);
    const after = new Int32Array(before.length * at.length);
    for (let i = 0; i < before.length; i++)
      for (let j = 0; j < at.length; j++) after[i * at.length + j] = before[i]! * length + at[j]!;
    return after;
  }, Int32Array.of(0));
  const result = new (values.constructor as new (length: number) => HostArray)(places.length * block);
  if (block === 1) for (let i = 0; i < places.length; i++) result[i] = values[places[i]!]!;
  else
    for (const [i, place] of places.entries())
      result.set(values.subarray(place * block, (place + 1) * block), i * block);
  return result;
}
