import {
  afterPass,
  type Model,
  type ModelOutputs,
  type NamedTensors,
  type Pass,
  rowsOf,
  tf,
  type WeightSpec,
} from 'tailmix';

/** Where the second branch keeps what it has of its own. */
export const NAME = 'bbn';
const PREFIX = `${NAME}/`;
const CLASSIFIER = 'classifier/';
const KERNEL = `${CLASSIFIER}kernel`;
const BIAS = `${CLASSIFIER}bias`;

/** Input of a training step, as the plugin declares it. */
export const ALPHA = 'alpha';

/** Rows of the re-balancing branch. */
export const SECOND = 'rebalancing';

/**
 * How the names of the last block's weights begin, `stage3/block5/`; for a network without blocks, those of its last
 * layer. `weights` are in the order of the forward pass.
 */
export function lastBlock(weights: readonly Pick<WeightSpec, 'name'>[]): string {
  const last = weights.findLast(({ name }) => !name.startsWith(CLASSIFIER))?.name.split('/') ?? [];
  return `${last.slice(0, last[1]?.startsWith('block') ? 2 : 1).join('/')}/`;
}

/**
 * z = 2·(α·W_cᵀf_c + (1 − α)·W_rᵀf_r) + b: eq. 1 as in the authors' code, with one bias and a factor of 2 that makes
 * α = 1/2 the plain sum. Each branch's logits have the bias already.
 *
 * @param logits - `[B, C]` of the conventional branch and of the re-balancing one
 * @param bias - `[C]`, if the classifier has one
 */
export function bilateralLogits(
  [conventional, rebalancing]: readonly [tf.Tensor, tf.Tensor],
  alpha: tf.Tensor | number,
  bias: tf.Tensor | undefined,
): tf.Tensor {
  const sum = conventional.mul(tf.mul(alpha, 2)).add(rebalancing.mul(tf.sub(1, alpha).mul(2)));
  return bias ? sum.sub(bias) : sum;
}

/** Initial values for twice the inputs: every draw that ends with a model goes with 1/√inputs. */
const forTwice = (weight: WeightSpec): WeightSpec => ({
  ...weight,
  initial: (random) => weight.initial(random).map((value) => value * Math.SQRT1_2),
});

/**
 * The model with two branches: all but the last block is shared, and the classifier sees the features of both. Trains on
 * a pool whose first B rows go through one branch and the rows of the second draw through the other; predicts one image
 * with both, α = 1/2.
 */
export function twoBranches(model: Model): Model {
  const block = lastBlock(model.weights);
  const weights = model.weights.map((weight) => (weight.name.startsWith(CLASSIFIER) ? forTwice(weight) : weight));
  const own = weights.filter(({ name }) => name.startsWith(block) || name === KERNEL);
  const ownNames = own.map(({ name }) => name);

  /** What the second branch calculates with, under the names that the model knows. */
  const second = (all: NamedTensors): NamedTensors => ({
    ...all,
    ...Object.fromEntries(ownNames.map((name) => [name, all[PREFIX + name]!])),
  });
  const secondPass = (pass: Pass): Pass => {
    const isFixed = (name: string): boolean => pass.fixed?.has(ownNames.includes(name) ? PREFIX + name : name) ?? false;
    return { ...pass, fixed: new Set(weights.map(({ name }) => name).filter(isFixed)) };
  };

  return {
    ...model,
    weights: [...weights, ...own.map((weight) => ({ ...weight, name: PREFIX + weight.name }))],
    featureSize: 2 * model.featureSize,
    forward(all, images, pass) {
      if (!pass.training) {
        return joined(model.forward(all, images, pass), model.forward(second(all), images, pass), 0.5, all);
      }
      const alpha = pass.inputs[PREFIX + ALPHA];
      const { start, size } = pass.groups![PREFIX + SECOND]!;
      const conventional = model.forward(all, rowsOf(images, 0, size), pass);
      // The shared batch norms see one batch after the other, and average over both.
      const after = second(afterPass(all, conventional));
      const rebalancing = model.forward(after, rowsOf(images, start, size), secondPass(pass));
      return joined(conventional, rebalancing, alpha!, all);
    },
  };

  function joined(a: ModelOutputs, b: ModelOutputs, alpha: tf.Tensor | number, all: NamedTensors): ModelOutputs {
    const features = [a.features.mul(tf.mul(alpha, 2)), b.features.mul(tf.sub(1, alpha).mul(2))];
    const statistics = Object.entries(b.statistics).map(([name, value]) => [
      ownNames.includes(name) ? PREFIX + name : name,
      value,
    ]);
    return {
      logits: bilateralLogits([a.logits, b.logits], alpha, all[BIAS]),
      features: tf.concat(features, 1),
      statistics: { ...a.statistics, ...Object.fromEntries(statistics) },
    };
  }
}
