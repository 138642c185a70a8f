import type { NamedTensors } from '../tf.ts';
import { tf } from '../tf.ts';
import { rowsDiffer } from './errors.ts';
import { isByPixel, mixStage } from './inputs.ts';

/**
 * Features of the trained rows at a stage: mixed there, or the pool's first rows where nothing mixes.
 *
 * @param mix - the variant of the step; undefined where nothing mixes
 * @param feeds - inputs of the step; of a variant by masks, `mixMask` is what `buildMask` gave
 * @throws {TailmixError} STEP_ROWS where the features are of other rows than the pool's, which would be cut or mixed up.
 */
export function mixAt(stage: string, features: tf.Tensor, mix: string | undefined, feeds: NamedTensors): tf.Tensor {
  const [size, pool] = [feeds.labels!.shape[0]!, feeds.images!.shape[0]!];
  const rows = features.shape[0]!;
  if (mix === undefined) {
    if (stage !== 'input' || rows === size) return features;
    if (rows !== pool) throw rowsDiffer(stage, expectedRows(size, pool), rows);
    return firstRows(features, size);
  }
  if (mixStage(mix) !== stage) return features;
  if (rows !== pool) throw rowsDiffer(stage, expectedRows(pool, pool), rows);
  const flat = features.reshape([pool, -1]);
  const mixed = tf.matMul(feeds.mixMatrix!, flat).reshape([size, ...features.shape.slice(1)]);
  if (!isByPixel(mix)) return mixed;
  const own = pool > size ? firstRows(features, size) : features;
  const mask = feeds.mixMask!;
  return own.mul(mask).add(mixed.mul(tf.sub(1, mask)));
}

const expectedRows = (size: number, pool: number): string =>
  size === pool ? `the ${pool} rows of the batch` : `the ${size} rows of the batch or the ${pool} of its pool`;

const firstRows = (features: tf.Tensor, size: number): tf.Tensor =>
  features.slice(
    features.shape.map(() => 0),
    [size, ...features.shape.slice(1)],
  );
