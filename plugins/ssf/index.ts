import { definePlugin, type Extension, extendSeams, type Seam, selectSeams, type WeightSpec, z } from 'tailmix';

const name = 'ssf';

const options = z.strictObject({
  at: z
    .array(z.string().min(1))
    .default(['block*/norm*', 'block*/attention/*', 'block*/mlp/*', 'norm'])
    .describe('Seams of the network whose output is scaled and shifted; `*` is any characters but `/`.'),
});

/** Standard deviation of the first values, as the paper's code has it. */
const DEVIATION = 0.02;

/** `γ ⊙ part(x) + β`, γ about 1 and β about 0 at first. */
export function scaleAndShift({ name: at, out }: Seam): Extension {
  const [scale, shift] = [`${name}/${at}/scale`, `${name}/${at}/shift`];
  const around = (weight: string, mean: number): WeightSpec => ({
    name: weight,
    shape: [out],
    kind: 'norm',
    initial: (random) => Float32Array.from({ length: out }, () => mean + DEVIATION * random.normal()),
  });
  return {
    weights: [around(scale, 1), around(shift, 0)],
    wrap: (part, x, weights) => part(x).mul(weights[scale]!).add(weights[shift]!),
  };
}

/**
 * SSF: trains a scale and a shift of what each linear layer and norm gives, and the classifier; the rest of the network
 * stays.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: { name: 'digits', imageSize: 224 },
 *   model: { name: 'vit-tiny-16', head: 'cosine', scale: 25 },
 *   plugins: [ssf()],
 * });
 * ```
 * @example
 * ```yaml
 * model: { name: vit-tiny-16, head: cosine, scale: 25 }
 * plugins:
 *   - use: ssf
 * ```
 * @see Lian et al., Scaling & Shifting Your Features: A New Baseline for Efficient Model Tuning, NeurIPS 2022,
 *   https://arxiv.org/abs/2210.08823, section 3.2
 */
export default definePlugin({
  name,
  options,
  extendModel: (model, { at }) => extendSeams(model, selectSeams(model, at), scaleAndShift),
  trains: () => [],
  apply() {},
});
