import { describe, expect, test } from 'vitest';
import {
  checkBatch,
  checkTargets,
  createBatch,
  createTargets,
  emptyInput,
  resolveShape,
} from '../../src/step/batch.ts';
import type { Batch, InputSpec, Targets } from '../../src/step/types.ts';

const variants = { mix: ['input', 'stage1'], depth: ['one'] };

/** Three trained rows in a pool of six. */
const batch = (changes: Partial<Batch> = {}): Batch => ({
  ...createBatch(
    {
      size: 3,
      indices: Int32Array.of(50, 51, 52, 60, 61, 62),
      labels: Int32Array.of(0, 1, 2, 3, 4, 5),
      draws: { extra: { start: 3, size: 3 } },
    },
    variants,
  ),
  ...changes,
});

test('a batch begins unmixed: each row its own partner, the first of each variant', () => {
  expect(batch()).toEqual({
    size: 3,
    poolSize: 6,
    indices: Int32Array.of(50, 51, 52, 60, 61, 62),
    labels: Int32Array.of(0, 1, 2, 3, 4, 5),
    draws: { extra: { start: 3, size: 3 } },
    pair: Int32Array.of(0, 1, 2),
    lambda: Float32Array.of(1, 1, 1),
    box: null,
    variants: { mix: 'input', depth: 'one' },
    inputs: {},
  });
});

test('targets have the labels of the trained rows and of their partners, and a copy of lambda', () => {
  const mixed = batch({ pair: Int32Array.of(5, 3, 0), lambda: Float32Array.of(0.5, 0.25, 1) });
  const targets = createTargets(mixed);
  expect(targets).toEqual({
    labels: Int32Array.of(0, 1, 2),
    pairLabels: Int32Array.of(5, 3, 0),
    labelWeight: Float32Array.of(0.5, 0.25, 1),
  });
  targets.labelWeight[0] = 0;
  targets.labels[0] = 9;
  expect([mixed.lambda[0], mixed.labels[0]]).toEqual([0.5, 0]);
});

test('shapes are resolved by the trained rows and the pool; an empty input has the type of its own', () => {
  const spec = (dtype: InputSpec['dtype']): InputSpec => ({ shape: ['batch', 'pool', 2], dtype });
  expect(resolveShape(spec('float32'), 3, 6)).toEqual([3, 6, 2]);
  expect(emptyInput(spec('float32'), batch())).toEqual(new Float32Array(36));
  expect(emptyInput(spec('int32'), batch())).toEqual(new Int32Array(36));
  expect(emptyInput(spec('uint8'), batch())).toEqual(new Uint8Array(36));
});

describe('what the taps of onBatch left', () => {
  const inputs: Record<string, InputSpec> = { 'plugin/offset': { shape: ['batch', 2], dtype: 'float32' } };
  const full = { 'plugin/offset': new Float32Array(6) };
  const check = (changes: Partial<Batch>) => () => checkBatch(batch({ inputs: full, ...changes }), variants, inputs);

  test.each<[string, Partial<Batch>]>([
    ['an unmixed batch', {}],
    ['partners at both ends of the pool', { pair: Int32Array.of(0, 5, 5) }],
    ['lambda at both ends', { lambda: Float32Array.of(0, 1, 0.5) }],
    ['another declared variant', { variants: { mix: 'stage1', depth: 'one' } }],
  ])('%s is good', (_, changes) => {
    expect(check(changes)).not.toThrow();
  });

  test.each<[string, Partial<Batch>]>([
    ['expected 3 lambdas, got 2.', { lambda: Float32Array.of(1, 1) }],
    ['expected 3 pairs, got 4.', { pair: Int32Array.of(0, 1, 2, 3) }],
    ['expected pair[1] in 0…5, got 6.', { pair: Int32Array.of(0, 6, 2) }],
    ['expected pair[2] in 0…5, got -1.', { pair: Int32Array.of(0, 1, -1) }],
    ['expected lambda[0] in 0…1, got NaN.', { lambda: Float32Array.of(Number.NaN, 1, 1) }],
    ['expected lambda[1] in 0…1, got -0.5.', { lambda: Float32Array.of(1, -0.5, 1) }],
    ['expected lambda[2] in 0…1, got 1.5.', { lambda: Float32Array.of(1, 1, 1.5) }],
    ['variant mix: expected input or stage1, got "stage2".', { variants: { mix: 'stage2' } }],
    ['variant other: expected a declared variant, got "x".', { variants: { other: 'x' } }],
    ['input plugin/offset: expected 6 values, got none.', { inputs: {} }],
    ['input plugin/offset: expected 6 values, got 5.', { inputs: { 'plugin/offset': new Float32Array(5) } }],
  ])('%s', (message, changes) => {
    expect(check(changes)).toThrow(
      expect.objectContaining({
        code: 'BATCH_INVALID',
        hook: 'onBatch',
        message: `onBatch: ${message} The batch has 3 samples in a pool of 6 rows.`,
      }),
    );
  });
});

describe('what the taps of computeTargets left', () => {
  const check = (labelWeight: Float32Array) => () => checkTargets({ labelWeight } as Targets, 3);

  test('weights at both ends are good', () => {
    expect(check(Float32Array.of(0, 1, 0.5))).not.toThrow();
  });

  test.each([
    ['expected 3 label weights, got 2.', Float32Array.of(1, 1)],
    ['expected labelWeight[0] in 0…1, got NaN.', Float32Array.of(Number.NaN, 1, 1)],
    ['expected labelWeight[1] in 0…1, got 1.25.', Float32Array.of(1, 1.25, 1)],
    ['expected labelWeight[2] in 0…1, got -0.25.', Float32Array.of(1, 1, -0.25)],
  ])('%s', (message, labelWeight) => {
    expect(check(labelWeight)).toThrow(
      expect.objectContaining({
        code: 'TARGETS_INVALID',
        hook: 'computeTargets',
        message: `computeTargets: ${message} The batch has 3 samples.`,
      }),
    );
  });
});
