import { expect, test } from 'vitest';
import { createBatch, createTargets, emptyInput, resolveShape } from '../../src/step/batch.ts';
import type { Batch, InputSpec } from '../../src/step/types.ts';

const variants = { mix: ['input', 'stage1'], depth: ['one'] };

/** Three trained rows in a pool of six. */
const batch = (changes: Partial<Batch> = {}): Batch => ({
  ...createBatch(
    {
      size: 3,
      indices: Int32Array.of(50, 51, 52, 60, 61, 62),
      labels: Int32Array.of(0, 1, 2, 3, 4, 5),
      groups: { extra: { start: 3, size: 3 } },
    },
    variants,
  ),
  ...changes,
});

test('a batch begins unmixed: each row its own partner, the first of each variant', () => {
  expect(batch()).toEqual({
    size: 3,
    replicas: 1,
    poolSize: 6,
    indices: Int32Array.of(50, 51, 52, 60, 61, 62),
    labels: Int32Array.of(0, 1, 2, 3, 4, 5),
    groups: { extra: { start: 3, size: 3 } },
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
