import { decayed, sgdStep } from '../backend/kernels/index.ts';
import type { NamedTensors } from '../tf.ts';
import { tf } from '../tf.ts';
import type { WeightRules } from './groups.ts';
import type { OptimizerOptions } from './options.ts';
import { zeroSlot } from './slots.ts';
import type { Update } from './types.ts';

type Sgd = Extract<OptimizerOptions, { name: 'sgd' }>;
type AdamW = Extract<OptimizerOptions, { name: 'adamw' }>;

/**
 * The update of `train.optimizer`; its state is kept by weight name, so that freezing or reordering mixes nothing up.
 *
 * @param rules - of weights whose learning rate or weight decay is not the optimizer's
 */
export const createOptimizer = (options: OptimizerOptions, rules: WeightRules = new Map()): Update =>
  options.name === 'sgd' ? sgd(options, rules) : adamw(options, rules);

/** Rate and decay of each weight in a step. */
function ruled({ weightDecay }: OptimizerOptions, rules: WeightRules, learningRate: tf.Tensor) {
  const rates = new Map([[1, learningRate]]);
  const rateOf = (factor: number): tf.Tensor => {
    const rate = rates.get(factor) ?? learningRate.mul(factor);
    rates.set(factor, rate);
    return rate;
  };
  return (name: string): { rate: tf.Tensor; decay: number } => {
    const rule = rules.get(name);
    return { rate: rateOf(rule?.factor ?? 1), decay: rule?.weightDecay ?? weightDecay };
  };
}

/** PyTorch's SGD: g ← g + decay·w; v ← mu·v + g; w ← w − lr·v, or with Nesterov w − lr·(g + mu·v). */
function sgd(options: Sgd, rules: WeightRules): Update {
  const { momentum, nesterov } = options;
  const slot = (weight: string): string => `momentum/${weight}`;
  return {
    slots: (weights) => (momentum > 0 ? weights.map(({ name, shape }) => zeroSlot(slot(name), shape)) : []),
    apply(weights, slots, gradients, { inputs: { learningRate } }) {
      const next: { weights: NamedTensors; slots: NamedTensors } = { weights: {}, slots: {} };
      const ruleOf = ruled(options, rules, learningRate!);
      for (const [name, gradient] of Object.entries(gradients)) {
        const weight = weights[name]!;
        const { rate, decay: weightDecay } = ruleOf(name);
        const velocity = slots[slot(name)];
        if (velocity === undefined) {
          next.weights[name] = weight.sub(decayed(weight, gradient, weightDecay).mul(rate));
        } else {
          const after = sgdStep(weight, velocity, gradient, rate, { momentum, nesterov, weightDecay });
          next.weights[name] = after.weight;
          next.slots[slot(name)] = after.velocity;
        }
      }
      return next;
    },
  };
}

const STEPS = 'adamw/steps';

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019), in PyTorch's form. */
function adamw(options: AdamW, rules: WeightRules): Update {
  const { beta1, beta2, epsilon } = options;
  return {
    slots: (weights) => [
      zeroSlot(STEPS),
      ...weights.flatMap(({ name, shape }) => [zeroSlot(`m/${name}`, shape), zeroSlot(`v/${name}`, shape)]),
    ],
    apply(weights, slots, gradients, { inputs: { learningRate } }) {
      const steps = slots[STEPS]!.add(1);
      const correction1 = missingWeight(beta1, steps);
      const correction2 = missingWeight(beta2, steps).sqrt();
      const next: { weights: NamedTensors; slots: NamedTensors } = { weights: {}, slots: { [STEPS]: steps } };
      const ruleOf = ruled(options, rules, learningRate!);
      for (const [name, gradient] of Object.entries(gradients)) {
        const { rate, decay } = ruleOf(name);
        const m = slots[`m/${name}`]!.mul(beta1).add(gradient.mul(1 - beta1));
        const v = slots[`v/${name}`]!.mul(beta2).add(gradient.square().mul(1 - beta2));
        const direction = m.div(correction1).div(v.sqrt().div(correction2).add(epsilon));
        const decayed = weights[name]!.mul(tf.sub(1, rate.mul(decay)));
        next.weights[name] = decayed.sub(direction.mul(rate));
        next.slots[`m/${name}`] = m;
        next.slots[`v/${name}`] = v;
      }
      return next;
    },
  };
}

/** `1 − beta^steps`, without the cancellation that costs float32 five digits in the first steps. */
const missingWeight = (beta: number, steps: tf.Tensor): tf.Tensor => steps.mul(Math.log(beta)).expm1().neg();
