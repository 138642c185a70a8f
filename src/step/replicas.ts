import { MODEL_SEED } from '../models/dropout.ts';
import type { NamedTensors } from '../tf.ts';
import { tf } from '../tf.ts';
import { mapValues } from '../util/map-values.ts';
import { prefixed } from '../util/prefixed.ts';
import { type Parts, sumOverParts } from './all-reduce.ts';
import { bucketsOf, sumInRing } from './ring.ts';
import type { Backward, InputSpec } from './types.ts';

/**
 * What one of R replicas of a step is fed: its B/R trained rows, and those rows of each group, of every input that
 * has rows; R-th parts of the normalizer, so that the mean of the replicas' losses is the loss of the batch; a seed of
 * its own for the model. Other inputs are the same for all.
 *
 * @param replica - 0…R−1; in a process of a cluster or on one of several devices, of its own
 * @param replicas - R; there, its own
 */
export function inputsOf(
  replica: number,
  replicas: number,
  feeds: NamedTensors,
  specs: Readonly<Record<string, InputSpec>>,
  { processes }: Parts = { processes: 1 },
): NamedTensors {
  const size = feeds.labels!.shape[0]!;
  const own: NamedTensors = {};
  for (const [name, tensor] of Object.entries(feeds)) {
    const shape = specs[name]?.shape ?? [];
    own[name] = shape.reduce<tf.Tensor>(
      (rest, length, axis) => (typeof length === 'number' ? rest : rowsOf(rest, axis, { replica, replicas, size })),
      tensor,
    );
  }
  own.normalizer = feeds.normalizer!.div(replicas * processes);
  const seed = feeds[MODEL_SEED];
  if (seed) own[MODEL_SEED] = seed.add(tf.tensor1d([replica, 0], 'int32'));
  return own;
}

/** A replica's rows of a batch, and of the groups that follow it, along an axis. */
function rowsOf(
  tensor: tf.Tensor,
  axis: number,
  { replica, replicas, size }: { replica: number; replicas: number; size: number },
): tf.Tensor {
  const share = size / replicas;
  const lengths = tensor.shape.map((length, i) => (i === axis ? share : length));
  const parts = Array.from({ length: tensor.shape[axis]! / size }, (_, pool) =>
    tensor.slice(
      lengths.map((_, i) => (i === axis ? pool * size + replica * share : 0)),
      lengths,
    ),
  );
  return parts.length === 1 ? parts[0]! : tf.concat(parts, axis);
}

/** What training on a batch, or on a replica's share of it, gives. */
export interface TrainedPart extends Omit<Backward, 'outputs'> {
  /** Next value of each statistic that is carried forward. */
  statistics: NamedTensors;
  /** `[rows]`. */
  predictions: tf.Tensor;
}

const MEANS = ['gradients', 'statistics', 'penalties', 'figures'] as const;

/**
 * What the batch gives whose parts these are: means, and the predictions behind one another. In a process of a cluster, or on one of
 * several devices, they are its own parts, and means are of all.
 */
export function meanOfParts(parts: readonly TrainedPart[], share?: Parts): TrainedPart {
  const means = meanOf(
    parts.map((part) => ({
      ...Object.assign({}, ...MEANS.map((group) => prefixed(`${group}/`, part[group]))),
      loss: part.loss,
    })),
    share,
  );
  const group = (name: (typeof MEANS)[number]): NamedTensors =>
    mapValues(parts[0]![name], (_, key) => means[`${name}/${key}`]!);
  return {
    gradients: group('gradients'),
    statistics: group('statistics'),
    penalties: group('penalties'),
    figures: group('figures'),
    loss: means.loss!,
    perSample: mapValues(parts[0]!.perSample, (_, name) =>
      tf.concat(
        parts.map(({ perSample }) => perSample[name]!),
        0,
      ),
    ),
    predictions: tf.concat(
      parts.map(({ predictions }) => predictions),
      0,
    ),
  };
}

/**
 * The mean of what replicas computed, each tensor of the first by name. All are laid end to end, cut into buckets, and summed in the
 * order in which TensorFlow's ring sums them among processes (see `ringParts`): one process gives the same bits as many. A bucket
 * is summed once its own tensors are there, while the backward pass goes on.
 */
export function meanOf(replicas: readonly NamedTensors[], share?: Parts): NamedTensors {
  const first = replicas[0]!;
  const names = Object.keys(first);
  const pieces = new Map(names.map((name) => [name, [] as tf.Tensor[]]));
  for (const [place, bucket] of bucketsOf(names.map((name) => first[name]!.size)).entries()) {
    const own = replicas.map((tensors) =>
      tf.concat(
        bucket.map((piece) => pieceOf(tensors[names[piece.tensor]!]!, piece)),
        0,
      ),
    );
    const sum = share ? sumOverParts(own, place, share) : sumInRing(own);
    const means = tf.split(
      sum.div(replicas.length * (share?.processes ?? 1)),
      bucket.map(({ size }) => size),
    );
    for (const [i, { tensor }] of bucket.entries()) pieces.get(names[tensor]!)!.push(means[i]!);
  }
  return mapValues(first, ({ shape }, name) => {
    const all = pieces.get(name)!;
    return (all.length === 1 ? all[0]! : tf.concat(all, 0)).reshape(shape);
  });
}

const pieceOf = (x: tf.Tensor, { start, size }: { start: number; size: number }): tf.Tensor =>
  size === x.size ? x.reshape([-1]) : x.reshape([-1]).slice(start, size);
