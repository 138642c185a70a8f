import { expect, test } from 'vitest';
import { z } from 'zod';
import { lastBlock, twoBranches } from '../../plugins/bbn/branches.ts';
import bbn, { branchWeight } from '../../plugins/bbn/index.ts';
import remix from '../../plugins/remix/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { extendModel } from '../../src/compose/declared.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import type { Model } from '../../src/models/types.ts';
import { definePlugin } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import { tf } from '../../src/tf.ts';
import { messageOfError } from '../support/message.ts';
import { at, drawnWeights, infoWithCounts, mixBatch } from '../support/plugins.ts';
import { tinyModel } from '../support/squares.ts';
import { describeTwoStage } from '../support/two-stage.ts';

/** A plugin with a second draw of its own. */
const otherDraw = definePlugin({
  name: 'other',
  options: z.strictObject({}),
  rows: () => ({ extra: { weights: () => Float64Array.of(1, 1, 1) } }),
  apply() {},
})();

describeTwoStage('bbn');

test.each([
  ['parabolic', [1, 0.9375, 0.75, 0.4375]],
  ['linear', [1, 0.75, 0.5, 0.25]],
  ['cosine', [1, Math.cos(Math.PI / 8), Math.SQRT1_2, Math.sin(Math.PI / 8)]],
  ['equal', [0.5, 0.5, 0.5, 0.5]],
] as const)('α by the %s schedule in each of four epochs', (schedule, expected) => {
  expected.forEach((alpha, i) => {
    expect(branchWeight(i + 1, 4, { schedule })).toBeCloseTo(alpha, 12);
  });
});

test('pairs every image with one of the second draw, which favours classes as 1/n', () => {
  const composition = compose([bbn()], infoWithCounts([300, 100, 20], { epochs: 4 }));
  const { batch, targets } = mixBatch(composition, Int32Array.from([0, 1, 2, 0, 2, 1]), at(3));
  expect(batch.pair).toEqual(Int32Array.from([3, 4, 5]));
  expect([...batch.lambda, ...targets.labelWeight]).toEqual(new Array(6).fill(0.75));
  expect([...targets.pairLabels]).toEqual([0, 2, 1]);
  const drawn = drawnWeights(composition, 'bbn/rebalancing', 1).map((weight, c) => weight * [300, 100, 20][c]!);
  [3, 15].forEach((ratio, c) => {
    expect(drawn[c + 1]! / drawn[0]!).toBeCloseTo(ratio, 10);
  });
});

test('Remix sees the image of the second draw as partner, and eq. 10 its own α', () => {
  const info = infoWithCounts([300, 100, 20], { epochs: 10 });
  const { batch, targets } = mixBatch(compose([bbn(), remix()], info), Int32Array.from([0, 1, 2, 2, 1, 0]), at(9));
  const alpha = Math.fround(1 - 0.8 ** 2);
  expect([...batch.lambda]).toEqual([alpha, alpha, alpha]);
  // A frequent class that has less than half yields to a rare one; a pair of one class and a rare sample stay.
  expect([...targets.labelWeight]).toEqual([0, alpha, alpha]);
});

test('takes its rows from its own draw, wherever in the pool that is', () => {
  const composition = compose([otherDraw, bbn()], infoWithCounts([300, 100, 20]));
  const { batch } = mixBatch(composition, Int32Array.from([0, 1, 2, 1, 1, 1, 0, 2, 2]), at(1));
  expect([...batch.pair]).toEqual([6, 7, 8]);
});

test.each([
  ['resnet32', [32, 32, 3], 'stage3/block5/'],
  ['resnet18-cifar', [32, 32, 3], 'stage4/block2/'],
  ['resnet50', [64, 64, 3], 'stage4/block3/'],
  ['small-cnn', [8, 8, 3], 'stage3/'],
  ['mlp', [8, 8, 3], 'stage2/'],
] as const)('%s: the second branch has the last block and a kernel of its own', (name, shape, block) => {
  const model = createModel(modelOptions.parse({ name }), { classes: 4, imageShape: shape });
  expect(lastBlock(model.weights)).toBe(block);
  const extended = extendModel(model, bbn(), { classes: 4, imageShape: shape });
  const added = extended.weights.filter((weight) => weight.name.startsWith('bbn/'));
  expect(added.map((weight) => weight.name.slice(4))).toEqual(
    model.weights.map((weight) => weight.name).filter((w) => w.startsWith(block) || w === 'classifier/kernel'),
  );
  expect(extended.featureSize).toBe(2 * model.featureSize);
});

test('a model without a classifier of that name is refused', async () => {
  const nameless: Model = { ...tinyModel(), name: 'nameless', weights: [] };
  expect(await messageOfError(() => extendModel(nameless, bbn(), { classes: 3, imageShape: [6, 6, 2] }))).toBe(
    `[bbn] expected a model with the weight classifier/kernel, [features, classes]; nameless has none of that name. Name its classifier's weights classifier/kernel and classifier/bias.`,
  );
});

test('a network without blocks has its last layer, and one of a classifier alone has none', () => {
  const named = (...names: string[]) => lastBlock(names.map((name) => ({ name })));
  expect(named('stem/kernel', 'dense/kernel', 'classifier/kernel')).toBe('dense/');
  expect(named('scale', 'classifier/kernel')).toBe('scale/');
  expect(named('classifier/kernel', 'classifier/bias')).toBe('/');
});

test('the classifier begins as one of twice the inputs, and the rest as it was', () => {
  const model = tinyModel();
  const start = ({ weights }: Model) =>
    Object.fromEntries(weights.map(({ name, initial }) => [name, initial(randomStream('any'))]));
  const before = start(model);
  const kernel = before['classifier/kernel']!.map((value) => value * Math.SQRT1_2);
  expect(start(twoBranches(model))).toEqual({
    ...before,
    'classifier/kernel': kernel,
    'bbn/hidden/kernel': before['hidden/kernel'],
    'bbn/hidden/mean': before['hidden/mean'],
    'bbn/classifier/kernel': kernel,
  });
});

test('a branch keeps the statistics that are fixed under its own names', () => {
  const seen: string[][] = [];
  const spied: Model = {
    ...tinyModel(),
    weights: ['stem/mean', 'hidden/mean', 'classifier/kernel'].map((name) => ({
      name,
      shape: [4],
      kind: 'statistic',
      initial: () => new Float32Array(4),
    })),
    forward(_, images, { fixed }) {
      seen.push([...(fixed ?? [])]);
      return { logits: images, features: images.reshape([images.shape[0]!, -1]), statistics: {} };
    },
  };
  const train = (fixed?: readonly string[]) => {
    seen.length = 0;
    tf.tidy(() => {
      const inputs = { labels: tf.zeros([1]), 'bbn/alpha': tf.scalar(0.5) };
      const groups = { 'bbn/rebalancing': { start: 1, size: 1 } };
      const pass = { training: true, inputs, groups, variants: {}, atStage: (_: string, x: tf.Tensor) => x };
      twoBranches(spied).forward({}, tf.zeros([2, 1, 1, 1]), fixed ? { ...pass, fixed: new Set(fixed) } : pass);
    });
    return seen;
  };
  expect(train()).toEqual([[], []]);
  expect(train(['stem/mean', 'hidden/mean'])).toEqual([['stem/mean', 'hidden/mean'], ['stem/mean']]);
  expect(train(['bbn/hidden/mean'])).toEqual([['bbn/hidden/mean'], ['hidden/mean']]);
});

test('a progressive draw goes from images alike to classes alike over the run, and stays there', () => {
  const composition = compose([bbn({ weights: 'progressive' })], infoWithCounts([300, 100], { epochs: 4 }));
  const draw = (epoch: number) => drawnWeights(composition, 'bbn/rebalancing', epoch);
  const share = (epoch: number) => (100 * draw(epoch)[1]!) / (300 * draw(epoch)[0]! + 100 * draw(epoch)[1]!);
  [0.3125, 0.375, 0.4375, 0.5, 0.5].forEach((expected, i) => {
    expect(share(i + 1)).toBeCloseTo(expected, 12);
  });
});
