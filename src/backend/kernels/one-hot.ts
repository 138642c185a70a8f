import { tf } from '../../tf.ts';

/**
 * 1 at each row's label and 0 elsewhere. `tf.oneHot` refuses a single class.
 *
 * @param labels - `[batch]` int32
 * @returns `[batch, classes]` float32
 */
export const oneHot = (labels: tf.Tensor, classes: number): tf.Tensor =>
  classes === 1 ? tf.ones([labels.shape[0]!, 1]) : tf.oneHot(labels, classes, 1, 0, 'float32');
