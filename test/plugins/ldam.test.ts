import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import ldam, { ldamLogits, ldamMargins } from '../../plugins/ldam/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { createModel, modelNames, modelOptions } from '../../src/models/index.ts';
import type { ModelHead } from '../../src/models/types.ts';
import { tf } from '../../src/tf.ts';
import { sideOf } from '../models/small.ts';
import { describeNative } from '../step/captured-support.ts';
import { describeCosineHead } from '../support/cosine-head.ts';
import { lossOf } from '../support/given-logits.ts';
import { CIFAR10_LT_100 } from '../support/plugins.ts';
import { describeLoss } from '../support/pytorch-losses.ts';

const cosine = (scale = 1): ModelHead => ({ kind: 'cosine', scale });

describeLoss(ldam);

describeCosineHead(ldam);

describe('ldamMargins', () => {
  test('CIFAR-10 LT, ratio 100: from 0.1581 for the largest class to 0.5 for the rarest', () => {
    expect(Array.from(ldamMargins(CIFAR10_LT_100, 0.5), (margin) => margin.toFixed(4)).join(' ')).toBe(
      '0.1581 0.1797 0.2042 0.2321 0.2638 0.2998 0.3407 0.3872 0.4405 0.5000',
    );
  });

  test('by hand: counts 256, 16, 1 have fourth roots 4, 2, 1', () => {
    expect(Array.from(ldamMargins([256, 16, 1], 0.4))).toEqual([0.1, 0.2, 0.4]);
    expect(Array.from(ldamMargins([256, 0, 16], 0.5))).toEqual([0.25, 0, 0.5]);
  });

  test('the rarest class has the largest margin, equal counts have equal ones', () => {
    const counts = fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(counts, fc.double({ min: 0, max: 1, noNaN: true }), (n, maxMargin) => {
        const margins = ldamMargins(n, maxMargin);
        expect(Math.max(...margins)).toBe(maxMargin);
        n.forEach((a, i) => {
          n.forEach((b, j) => {
            if (a <= b) expect(margins[i]!).toBeGreaterThanOrEqual(margins[j]!);
          });
        });
      }),
    );
  });
});

describe('the loss', () => {
  beforeAll(async () => {
    await loadBackend();
  });

  test('ldamLogits takes the margin off the label alone', () => {
    const logits = tf.tensor2d([
      [0.5, 0.25, -0.5],
      [0.5, 0.25, -0.5],
    ]);
    const labels = tf.tensor1d([0, 2], 'int32');
    const margins = Float64Array.of(0.125, 0.25, 0.5);
    const expected = [3, 2, -4, 4, 2, -8];
    expect([...ldamLogits(logits, labels, margins, { scale: 8, headScale: 1 }).dataSync()]).toEqual(expected);
    expect([...ldamLogits(logits.mul(8), labels, margins, { scale: 8, headScale: 8 }).dataSync()]).toEqual(expected);
  });

  test('by hand: two classes of 1 image, cosines 0.5 and 0, scale 2', () => {
    // log(1 + exp(2·(0 − (0.5 − 0.5)))) = log 2; for the other label log(1 + exp(2·(0.5 + 0.5))).
    const samples = { classCounts: [1, 1], logits: [0.5, 0], head: cosine() };
    expect(lossOf([ldam({ scale: 2 })], { ...samples, labels: [0] }).loss).toBeCloseTo(Math.LN2, 6);
    expect(lossOf([ldam({ scale: 2 })], { ...samples, labels: [1] }).loss).toBeCloseTo(Math.log(1 + Math.E ** 2), 6);
  });

  test('each of two mixed labels has its own margin', () => {
    const samples = { classCounts: [16, 1], logits: [0.5, 0.25], head: cosine() };
    const [a, b] = [0, 1].map((label) => lossOf([ldam()], { ...samples, labels: [label] }).loss);
    const twice = { classCounts: [16, 1], logits: [0.5, 0.25, 0.5, 0.25], head: cosine(), labels: [0, 1] };
    const mixed = lossOf([ldam()], { ...twice, mixed: { pair: [1, 0], labelWeight: [0.25, 0.5] } }).loss;
    expect(mixed).toBeCloseTo((0.25 * a! + 0.75 * b! + 0.5 * b! + 0.5 * a!) / 2, 5);
  });

  test('does not depend on the factor that the head has', () => {
    const cosines = [0.5, 0.25, -0.75, 0.125, -0.5, 1];
    const of = (scale: number) =>
      lossOf([ldam()], {
        classCounts: [100, 10, 1],
        logits: cosines.map((cos) => scale * cos),
        labels: [2, 0],
        head: cosine(scale),
      });
    for (const scale of [0.5, 16, 30]) {
      expect(of(scale).loss).toBeCloseTo(of(1).loss, 4);
      of(scale).gradient.forEach((slope, i) => {
        expect(slope * scale).toBeCloseTo(of(1).gradient[i]!, 3);
      });
    }
  });
});

describe('the head', () => {
  test.each(modelNames)('%s says what it has', (name) => {
    const task = { classes: 3, imageShape: [sideOf(name), sideOf(name), 3] } as const;
    const headOf = (options: object) => createModel(modelOptions.parse({ name, ...options }), task).head;
    expect(headOf({})).toEqual({ kind: 'linear', scale: 1 });
    expect(headOf({ head: 'cosine', scale: 16 })).toEqual(cosine(16));
  });
});

test.each([{ maxMargin: -1 }, { scale: 0 }, { scale: Number.NaN }])('refuses %o', (options) => {
  expect(() => ldam(options)).toThrow(z.ZodError);
});

test('one class has nothing to win against: a loss of 0', () => {
  const { loss, gradient } = lossOf([ldam()], {
    classCounts: [7],
    logits: [0.3, -0.2],
    labels: [0, 0],
    head: cosine(),
  });
  expect(loss).toBe(0);
  expect(Math.max(...gradient.map(Math.abs))).toBeLessThan(1e-7);
});

describeNative('captured', (use) => {
  test('one class, as eager', () => {
    const samples = { classCounts: [7], logits: [0.3, -0.2], labels: [0, 0], head: cosine() };
    expect(lossOf([ldam()], samples, use()).loss).toBe(0);
  });
});
