import { attribute, type NativeBackend } from '../backend/kernels/native-op.ts';
import { GROUP } from '../cluster/protocol.ts';
import type { HostArray } from '../graph/index.ts';
import { type NamedTensors, tf } from '../tf.ts';
import { sumInRing } from './ring.ts';
import type { InputSpec } from './types.ts';

/** Which part of a step's replicas a process of a cluster computes. */
export interface Share {
  /** 0…processes − 1: the process has the rank-th R/processes replicas. */
  rank: number;
  /** They divide R. */
  processes: number;
}

/** A sum has a key of its own by its place and length: the same key never has another shape, in whatever graph. */
const keyOf = (place: number, length: number): number => length * 256 + place;

/** Place of what is summed in addition to the values. */
const ROWS = 255;

/**
 * The sum of a bucket over all replicas, from vectors of those of this process, by TensorFlow's own collectives: in a ring where
 * each process has one replica; else all vectors are gathered, and summed here in the order that a ring of R has.
 *
 * @param own - `[n]` each
 * @param place - of the bucket in a step
 */
export function sumOverProcesses(own: readonly tf.Tensor[], place: number, { processes }: Share): tf.Tensor {
  const key = keyOf(place, own[0]!.size);
  if (own.length === 1) return reduce(own[0]!, processes, key);
  return sumInRing(tf.unstack(gather(tf.stack([...own]), processes, key)));
}

/**
 * Rows of all processes, of those of this one, and which process was asked to stop: what one alone gives is added to
 * zeros.
 *
 * @param own - `[rows, …]` by name; float32, or whole numbers below 2²⁴
 * @param stop - `[processes]`
 * @returns `rows` float32, `[processes · rows, …]`
 */
export function rowsOfAll(
  own: NamedTensors,
  stop: tf.Tensor,
  { rank, processes }: Share,
): { rows: NamedTensors; stop: tf.Tensor } {
  const arrays = Object.entries(own);
  const placed = arrays.map(([, array]) =>
    tf.pad(array.cast('float32').reshape([-1]), [[rank * array.size, (processes - 1 - rank) * array.size]]),
  );
  const sent = tf.concat([...placed, stop], 0);
  const sizes = arrays.map(([, { size }]) => processes * size);
  const parts = tf.split(reduce(sent, processes, keyOf(ROWS, sent.size)), [...sizes, processes]);
  const rows = arrays.map(([name, { shape }], i) => [
    name,
    parts[i]!.reshape([processes * shape[0]!, ...shape.slice(1)]),
  ]);
  return { rows: Object.fromEntries(rows), stop: parts.at(-1)! };
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

/**
 * A process's rows of what a step is fed: of each axis that has rows. What has none is the same for all, and so are
 * images, of which a process loads its own alone.
 *
 * @param size - B, rows of the whole batch
 * @param pool - rows that were loaded for it, B and those of each group
 */
export function feedsOf(
  feeds: Readonly<Record<string, HostArray>>,
  specs: Readonly<Record<string, InputSpec>>,
  { size, pool }: { size: number; pool: number },
  share: Share,
): Record<string, HostArray> {
  const own: Record<string, HostArray> = { ...feeds };
  for (const [name, values] of Object.entries(feeds)) {
    const shape = specs[name]?.shape;
    if (name === 'images' || !shape?.some((length) => typeof length === 'string')) continue;
    const axes = shape.map((length) =>
      typeof length === 'number'
        ? { length, taken: null }
        : {
            length: length === 'batch' ? size : pool,
            taken: rowsOfShare(length === 'batch' ? size : pool, size, share),
          },
    );
    own[name] = takeRows(values, axes);
  }
  return own;
}

/** Rows of a process, of a batch and of the groups that follow it. */
export function rowsOfShare(pool: number, size: number, { rank, processes }: Share): Int32Array {
  const own = size / processes;
  return Int32Array.from({ length: pool / processes }, (_, i) => Math.floor(i / own) * size + rank * own + (i % own));
}

/** Elements of an array at some positions of its axes; all of an axis where none are named. */
export function takeRows(values: HostArray, axes: readonly { length: number; taken: Int32Array | null }[]): HostArray {
  const places = axes.reduce<Int32Array>((before, { length, taken }) => {
    const at = taken ?? Int32Array.from({ length }, (_, i) => i);
    const after = new Int32Array(before.length * at.length);
    for (let i = 0; i < before.length; i++)
      for (let j = 0; j < at.length; j++) after[i * at.length + j] = before[i]! * length + at[j]!;
    return after;
  }, Int32Array.of(0));
  const result = new (values.constructor as new (length: number) => HostArray)(places.length);
  for (let i = 0; i < places.length; i++) result[i] = values[places[i]!]!;
  return result;
}
