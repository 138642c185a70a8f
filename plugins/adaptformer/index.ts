import {
  definePlugin,
  type Extension,
  extendSeams,
  layerNorm,
  relu,
  type Seam,
  selectSeams,
  tf,
  type WeightSpec,
  z,
} from 'tailmix';

const name = 'adaptformer';

const options = z.strictObject({
  at: z
    .array(z.string().min(1))
    .default(['block*/mlp'])
    .describe('Seams of the network that get an adapter next to them; `*` is any characters but `/`.'),
  dimension: z
    .int()
    .positive()
    .optional()
    .describe(
      'Length r of the bottleneck. Default: 2^⌊log₂(C / 2L)⌋, at least 1, of C classes and L seams, as in LIFT.',
    ),
});

/** Length of a bottleneck by LIFT's rule: about as many weights in L layers as a classifier of C classes has. */
export const bottleneck = (classes: number, layers: number): number =>
  2 ** Math.max(0, Math.floor(Math.log2(classes / (2 * layers))));

/** Uniform in ±1/√fan: Kaiming's with a = √5. */
export const kaimingUniform = (weight: string, shape: readonly [number, number]): WeightSpec => ({
  name: weight,
  shape,
  kind: 'kernel',
  initial: (random) =>
    Float32Array.from({ length: shape[0] * shape[1] }, () => (2 * random.uniform() - 1) / Math.sqrt(shape[0])),
});

/** A weight whose values are equal at first. */
export const constant = (
  weight: string,
  shape: readonly number[],
  kind: WeightSpec['kind'],
  value = 0,
): WeightSpec => ({
  name: weight,
  shape,
  kind,
  initial: () => new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value),
});

/** `x·W` of the last axis, for any number of axes before it. */
export const project = (x: tf.Tensor, kernel: tf.Tensor): tf.Tensor => {
  const [inputs, outputs] = kernel.shape as [number, number];
  return tf.matMul(x.reshape([-1, inputs]), kernel).reshape([...x.shape.slice(0, -1), outputs]);
};

const EPSILON = 1e-5;

/** `part(x) + s·(ReLU(LN(x)·W_down + b_down)·W_up + b_up)`, with W_up = 0 and s = 1 at first. */
export function adapter({ name: at, in: inputs, out }: Seam, dimension: number): Extension {
  const weight = (part: string): string => `${name}/${at}/${part}`;
  return {
    weights: [
      constant(weight('norm/scale'), [inputs], 'norm', 1),
      constant(weight('norm/shift'), [inputs], 'norm'),
      kaimingUniform(weight('down/kernel'), [inputs, dimension]),
      constant(weight('down/bias'), [dimension], 'bias'),
      constant(weight('up/kernel'), [dimension, out], 'kernel'),
      constant(weight('up/bias'), [out], 'bias'),
      constant(weight('scale'), [1], 'norm', 1),
    ],
    wrap(part, x, weights) {
      const of = (own: string): tf.Tensor => weights[weight(own)]!;
      const normed = layerNorm(x, of('norm/scale'), of('norm/shift'), EPSILON);
      const hidden = relu(project(normed, of('down/kernel')).add(of('down/bias')));
      return part(x).add(project(hidden, of('up/kernel')).add(of('up/bias')).mul(of('scale')));
    },
  };
}

/**
 * AdaptFormer: trains a small network next to the MLP of each block, and the classifier; the rest of the network stays.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits', imageSize: 224 },
 *   model: { name: 'vit-tiny-16', head: 'cosine', scale: 25 },
 *   plugins: [adaptformer()],
 * });
 * ```
 * @example
 * ```yaml
 * model: { name: vit-tiny-16, head: cosine, scale: 25 }
 * plugins:
 *   - use: adaptformer
 * ```
 * @see Chen et al., AdaptFormer: Adapting Vision Transformers for Scalable Visual Recognition, NeurIPS 2022,
 *   https://arxiv.org/abs/2205.13535, section 3.2
 */
export default definePlugin({
  name,
  options,
  extendModel(model, { at, dimension }, { classes }) {
    const seams = selectSeams(model, at);
    const r = dimension ?? bottleneck(classes, seams.length);
    return extendSeams(model, seams, (seam) => adapter(seam, r));
  },
  trains: () => [],
  apply() {},
});
