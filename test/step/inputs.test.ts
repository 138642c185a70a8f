import { describe, expect, test } from 'vitest';
import { randomStream } from '../../src/random.ts';
import { createBatch, createTargets } from '../../src/step/batch.ts';
import {
  isBox,
  mixStage,
  modelFeeds,
  modelInputs,
  pairMatrix,
  trainFeeds,
  trainInputs,
} from '../../src/step/inputs.ts';
import type { Batch } from '../../src/step/types.ts';

const imageShape = [2, 3, 1];

/** Two trained rows of classes 0 and 2 in a pool of four: the first mixed with row 3, the second with itself. */
const batch = (changes: Partial<Batch> = {}): Batch => ({
  ...createBatch(
    { size: 2, indices: Int32Array.of(7, 8, 9, 10), labels: Int32Array.of(0, 2, 1, 1), groups: {} },
    { mix: ['input'] },
  ),
  pair: Int32Array.of(3, 1),
  lambda: Float32Array.of(0.25, 0.75),
  ...changes,
});

const feedsOf = (changed: Partial<Batch> = {}, reduction: 'mean' | 'weighted-mean' = 'weighted-mean') => {
  const one = batch(changed);
  return trainFeeds({
    batch: one,
    targets: { ...createTargets(one), labelWeight: Float32Array.of(0.5, 1) },
    images: new Uint8Array(24).fill(9),
    imageShape,
    classWeights: Float64Array.of(1, 2, 4),
    learningRate: 0.125,
    reduction,
  });
};

describe('what a step is fed', () => {
  test('weights of both terms: label weight × class weight, divided by their sum', () => {
    const { mixMatrix, mixMask, ...feeds } = feedsOf({ inputs: { 'plugin/x': Float32Array.of(3) } });
    expect(feeds).toEqual({
      'plugin/x': Float32Array.of(3),
      images: new Uint8Array(24).fill(9),
      labels: Int32Array.of(0, 2),
      pairLabels: Int32Array.of(1, 2),
      weight: Float32Array.of(0.5, 4),
      pairWeight: Float32Array.of(1, 0),
      normalizer: Float32Array.of(5.5),
      learningRate: Float32Array.of(0.125),
    });
    expect(mixMask).toBeUndefined();
    // Row 0: a quarter of itself and the rest of row 3; row 1 wholly itself, though lambda is 0.75.
    expect(mixMatrix).toEqual(Float32Array.of(0.25, 0, 0, 0.75, 0, 1, 0, 0));
  });

  test('reduction mean divides by the number of trained rows', () => {
    expect(feedsOf({}, 'mean').normalizer).toEqual(Float32Array.of(2));
  });

  test('without a mix there are no partners', () => {
    expect(Object.keys(feedsOf({ variants: {} }))).toEqual([
      'images',
      'labels',
      'weight',
      'normalizer',
      'learningRate',
    ]);
  });

  test('a box takes the partner’s pixels inside, half-open, whatever lambda is', () => {
    const variants = { mix: 'input:box' };
    const { mixMatrix, mixMask } = feedsOf({ variants, box: { top: 0, bottom: 1, left: 1, right: 3 } });
    expect(mixMatrix).toEqual(Float32Array.of(0, 0, 0, 1, 0, 1, 0, 0));
    expect(mixMask).toEqual(Float32Array.of(1, 0, 0, 1, 1, 1));
    expect(feedsOf({ variants, box: { top: 1, bottom: 2, left: 0, right: 1 } }).mixMask).toEqual(
      Float32Array.of(1, 1, 1, 0, 1, 1),
    );
    expect(feedsOf({ variants }).mixMask).toEqual(new Float32Array(6).fill(1));
  });
});

test('a pair matrix has rows that sum to 1', () => {
  expect(pairMatrix(batch({ pair: Int32Array.of(0, 2) }), (i) => [0.5, 0.25][i]!)).toEqual(
    Float32Array.of(1, 0, 0, 0, 0, 0.25, 0.75, 0),
  );
});

test('inputs are declared with the shapes that are fed', () => {
  const plain = {
    images: { shape: ['pool', 2, 3, 1], dtype: 'uint8' },
    labels: { shape: ['batch'], dtype: 'int32' },
    weight: { shape: ['batch'], dtype: 'float32' },
    normalizer: { shape: [], dtype: 'float32' },
    learningRate: { shape: [], dtype: 'float32' },
  };
  const mixed = {
    ...plain,
    pairLabels: { shape: ['batch'], dtype: 'int32' },
    pairWeight: { shape: ['batch'], dtype: 'float32' },
    mixMatrix: { shape: ['batch', 'pool'], dtype: 'float32' },
  };
  expect(trainInputs(imageShape, undefined)).toEqual(plain);
  expect(trainInputs(imageShape, 'stage1')).toEqual(mixed);
  expect(trainInputs(imageShape, 'input:box')).toEqual({
    ...mixed,
    mixMask: { shape: [1, 2, 3, 1], dtype: 'float32' },
  });
});

test('a variant names the stage, and a box by its ending alone', () => {
  expect(
    ['input', 'stage1', 'input:box', 'box:input', 'input:boxes'].map((mix) => [mixStage(mix), isBox(mix)]),
  ).toEqual([
    ['input', false],
    ['stage1', false],
    ['input', true],
    ['box:input', false],
    ['input:boxes', false],
  ]);
});

test('a model that draws numbers has a seed of its own for each step', () => {
  const random = { random: true };
  expect(modelInputs({})).toEqual({});
  expect(modelInputs(random)).toEqual({ modelSeed: { shape: [2], dtype: 'int32' } });
  expect(modelFeeds({}, 0, { epoch: 1, step: 1 })).toEqual({});
  const stream = randomStream(3, 'model', 2, 5);
  expect(modelFeeds(random, 3, { epoch: 2, step: 5 })).toEqual({
    modelSeed: Int32Array.of(stream.integer(2 ** 30), stream.integer(2 ** 30)),
  });
});
