import { beforeAll, expect, test } from 'vitest';
import { loadBackend } from '../../src/backend/load.ts';
import { differentiate } from '../../src/step/differentiate.ts';
import { ownedBy } from '../../src/step/owner.ts';
import { type NamedTensors, tf } from '../../src/tf.ts';
import { messageOfError } from '../support/message.ts';

beforeAll(async () => {
  await loadBackend();
});

const weights = (): NamedTensors => ({ a: tf.tensor1d([1, 2]), b: tf.tensor1d([3, 4]), still: tf.scalar(5) });
const rest = () => ({
  figures: {},
  perSample: {},
  outputs: { logits: tf.zeros([1, 2]), features: tf.zeros([1, 1]), statistics: {} },
});
const owned = (plugin: string, fn: (tensor: tf.Tensor) => tf.Tensor) =>
  ownedBy({ plugin, hook: 'buildLoss', part: 'termLoss' }, fn);

test('gradients are of loss plus penalties, for trained weights that either reaches', () => {
  const { loss, penalties, gradients } = differentiate(weights(), new Set(['a', 'b', 'still']), ({ a, b }) => ({
    loss: a!.square().sum(),
    penalties: { own: b!.sum().mul(2) },
    ...rest(),
  }));
  const numbers = (tensors: NamedTensors) => Object.entries(tensors).map(([name, one]) => [name, [...one.dataSync()]]);
  expect(numbers({ loss, ...penalties })).toEqual([
    ['loss', [5]],
    ['own', [14]],
  ]);
  expect(numbers(gradients)).toEqual([
    ['a', [2, 4]],
    ['b', [2, 2]],
  ]);
});

test('what the forward pass throws is passed on, and the pass is not run again', () => {
  const error = new Error('boom');
  let calls = 0;
  expect(() =>
    differentiate(weights(), new Set(['a']), () => {
      calls++;
      throw error;
    }),
  ).toThrow(error);
  expect(calls).toBe(1);
});

test('of several plugins, the one that uses an op without a gradient is named', async () => {
  const engine = tf.engine();
  const { runKernel } = engine;
  const before = owned('before', (tensor) => tensor.mul(2));
  const wrong = owned('wrong', (tensor) => tf.topk(tensor, 1).values);
  const after = owned('after', (tensor) => tensor.add(1));
  const refused = messageOfError(() =>
    differentiate(weights(), new Set(['a']), ({ a }) => ({
      loss: after(wrong(before(a!))).sum(),
      penalties: {},
      ...rest(),
    })),
  );
  expect(await refused).toMatch(
    /^\[wrong] buildLoss, termLoss: expected ops in the loss that have a gradient; TopK has none\./,
  );
  expect(engine.runKernel).toBe(runKernel);
});

test('the core’s own, or the model’s, is nobody’s', async () => {
  const refused = messageOfError(() =>
    differentiate(weights(), new Set(['a']), ({ a }) => ({
      loss: owned('innocent', (tensor) => tensor.mul(2))(tf.topk(a!, 1).values).sum(),
      penalties: {},
      ...rest(),
    })),
  );
  expect(await refused).toMatch(/^step: expected ops in the loss that have a gradient; TopK has none\./);
});
