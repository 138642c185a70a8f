import { beforeAll, expect, test } from 'vitest';
import infiniteClassMixup, { infiniteClassLoss, mixturesOf } from '../../plugins/infinite-class-mixup/index.ts';
import labelSmoothing from '../../plugins/label-smoothing/index.ts';
import ldam from '../../plugins/ldam/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import regmixup from '../../plugins/regmixup/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { tf } from '../../src/tf.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';

beforeAll(async () => void (await loadBackend()));

const pass = (inputs: Record<string, tf.Tensor>) => ({
  training: true,
  variants: {},
  inputs,
  atStage: (_: string, x: tf.Tensor) => x,
});

test('shares are those of the labels, and sum to 1 under class weights', () => {
  const labels = tf.tensor1d([0, 2], 'int32');
  const mixed = {
    labels,
    weight: tf.tensor1d([0.25, 3]),
    pairLabels: tf.tensor1d([1, 2], 'int32'),
    pairWeight: tf.tensor1d([0.75, 1]),
  };
  expect(mixturesOf(pass(mixed), 3).arraySync()).toEqual([
    [0.25, 0.75, 0],
    [0, 0, 1],
  ]);
  expect(mixturesOf(pass({ labels, weight: tf.ones([2]) }), 3).arraySync()).toEqual([
    [1, 0, 0],
    [0, 0, 1],
  ]);
});

test('two pairs by hand: outputs [[2, 0.5], [-1, 1]]', () => {
  const logits = tf.tensor2d([
    [2, -1],
    [-1, 3],
  ]);
  const mixtures = tf.tensor2d([
    [1, 0],
    [0.5, 0.5],
  ]);
  const logSum = (...values: number[]): number => Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0));
  const classes = [logSum(2, 0.5) - 2, logSum(-1, 1) - 1];
  const pairs = [logSum(2, -1) - 2, logSum(0.5, 1) - 1];
  for (const [axes, expected] of [
    ['classes', classes],
    ['pairs', pairs],
    ['both', classes.map((value, i) => value + pairs[i]!)],
  ] as const) {
    const got = infiniteClassLoss(logits, mixtures, axes).dataSync();
    for (const [i, value] of expected.entries()) expect(got[i]).toBeCloseTo(value, 6);
  }
});

test('needs a mixer, refuses another loss, warns of smoothing, goes with regmixup', async () => {
  expect(await messageOfError(async () => compose([infiniteClassMixup()], smallInfo()))).toContain('mix');
  const head = { kind: 'cosine' as const, scale: 1 };
  expect(
    await messageOfError(async () =>
      compose([mixup(), ldam(), infiniteClassMixup()], infoWithCounts([3, 2], { head })),
    ),
  ).toContain('loss');
  expect(warningsOf([mixup(), infiniteClassMixup(), labelSmoothing()], smallInfo()).join()).toContain('NOT_INTENDED');
  expect(warningsOf([mixup(), infiniteClassMixup(), regmixup()], smallInfo())).toEqual([]);
});
