/** A network of your own: patches of pixels, one hidden layer with dropout, an average over the patches, a classifier. */
import { defineModel, dropout, relu, type tf, type WeightSpec, z } from 'tailmix';

const name = 'patch-mlp';

const options = z.strictObject({
  patch: z.int().positive().default(4).describe('Side of a patch in pixels.'),
  width: z.int().positive().default(64).describe('Length of the feature vector.'),
  rate: z.number().min(0).max(1).default(0.1).describe('Share of hidden values that training drops.'),
});

/** Normal with deviation √(2 / inputs) for a kernel, zeros for a bias. */
function dense(layer: string, inputs: number, units: number): WeightSpec[] {
  return [
    {
      name: `${layer}/kernel`,
      shape: [inputs, units],
      kind: 'kernel',
      initial: (random) => Float32Array.from({ length: inputs * units }, () => Math.sqrt(2 / inputs) * random.normal()),
    },
    { name: `${layer}/bias`, shape: [units], kind: 'bias', initial: () => new Float32Array(units) },
  ];
}

export default defineModel({
  name,
  options,
  create({ patch, width, rate }, { classes, imageShape: [, , channels] }) {
    const inputs = patch * patch * channels;
    return {
      name,
      weights: [...dense('patches', inputs, width), ...dense('classifier', width, classes)],
      // Where features can be mixed, `input` first: forward calls `pass.atStage` at each, and goes on with what it gives.
      stages: ['input', 'patches', 'pool'],
      featureSize: width,
      head: { kind: 'linear', scale: 1 },
      // Gives each step a seed, which dropout draws from.
      random: true,
      forward(weights, images, pass) {
        const linear = (x: tf.Tensor, layer: string): tf.Tensor =>
          x.matMul(weights[`${layer}/kernel`]!).add(weights[`${layer}/bias`]!);
        // A convolution whose stride is its size sees each patch once.
        const filter = weights['patches/kernel']!.reshape<tf.Tensor4D>([patch, patch, channels, width]);
        const seen = pass.atStage('input', images).conv2d(filter, patch, 'valid');
        const hidden = pass.atStage('patches', relu(seen.add(weights['patches/bias']!)));
        const kept = dropout(hidden, pass, { rate, index: 0 });
        const features = pass.atStage('pool', kept.mean([1, 2]));
        return { logits: linear(features, 'classifier'), features, statistics: {} };
      },
    };
  },
});
