import { ofRank, tf } from '../../tf.ts';
import { customGradient } from './registry.ts';

/**
 * Mean over height and width, `[batch, height, width, channels]` → `[batch, channels]`.
 * Its gradient multiplies by one small array, where tfjs's `mean` needs ones of the size of x, and its average pooling
 * on WASM is fifty times slower backward than forward.
 */
export const globalAverage = (x: tf.Tensor): tf.Tensor => average(x);

const average = customGradient(([input]) => {
  const x = ofRank(input, 4);
  const [batch, height, width, channels] = x.shape;
  return {
    value: tf.avgPool(x, [height, width], 1, 'valid').reshape([batch, channels]),
    gradFunc: (dy) => {
      const share = tf.tensor4d(new Float32Array(height * width).fill(1 / (height * width)), [1, height, width, 1]);
      return dy.reshape([batch, 1, 1, channels]).mul(share);
    },
  };
});
