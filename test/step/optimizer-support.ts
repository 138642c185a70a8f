import { expect } from 'vitest';
import type { Pass, WeightSpec } from '../../src/models/types.ts';
import type { Update } from '../../src/step/types.ts';
import { type NamedTensors, tf } from '../../src/tf.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { noise } from '../models/reference.ts';

const tensor = (key: string, shape: readonly number[]): tf.Tensor => tf.tensor(noise(key, sizeOf(shape)), [...shape]);

/** A training pass with a learning rate. */
export const passAt = (rate: number): Pass => ({
  training: true,
  inputs: { learningRate: tf.scalar(rate) },
  variants: {},
  atStage: (_, features) => features,
});

/** Weights after some steps from noise by gradients of noise, as the reference scripts have both; the rate falls by a tenth each. */
export function weightsAfter(
  optimizer: Update,
  specs: readonly WeightSpec[],
  { steps, learningRate }: { steps: number; learningRate: number },
): NamedTensors {
  const noises = (prefix: string): NamedTensors =>
    Object.fromEntries(specs.map(({ name, shape }) => [name, tensor(`${prefix}${name}`, shape)]));
  let weights = noises('');
  let slots: NamedTensors = Object.fromEntries(
    optimizer.slots(specs, specs).map(({ name, shape, initial }) => [name, tf.tensor(initial({}), [...shape])]),
  );
  for (let step = 1; step <= steps; step++) {
    const gradients = noises(`gradient${step}/`);
    const next = optimizer.apply(weights, slots, gradients, passAt(learningRate * 0.9 ** (step - 1)));
    expect(Object.keys(next.slots).sort()).toEqual(Object.keys(slots).sort());
    weights = { ...weights, ...next.weights };
    slots = { ...slots, ...next.slots };
  }
  return weights;
}
