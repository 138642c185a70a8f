import { definePlugin, tf, z } from 'tailmix';

const name = 'decorrelate';

const options = z.strictObject({
  strength: z.number().min(0).default(0.001).describe('Factor of the penalty.'),
});

/** Half the squared covariances of the hidden features `[batch, D]`, variances left out (Cogswell et al. 2016, eq. 1). */
export function decorrelation(features: tf.Tensor): tf.Tensor {
  const centred = features.sub(features.mean(0));
  const covariance = tf.matMul(centred, centred, true).div(features.shape[0]); // [D, D]
  const variance = centred.square().mean(0);
  return covariance.square().sum().sub(variance.square().sum()).div(2);
}

/**
 * A plugin of your own: a regularizer that keeps hidden features from saying the same thing twice. It is logged under its name.
 *
 * @see Cogswell et al., Reducing Overfitting in Deep Networks by Decorrelating Representations, ICLR 2016
 */
export default definePlugin({
  name,
  options,
  apply({ hooks }, { strength }) {
    hooks.buildLoss.tap(name, (loss) => ({
      ...loss,
      penalties: {
        ...loss.penalties,
        [name]: ({ features }) => decorrelation(features).mul(strength),
      },
    }));
  },
});
