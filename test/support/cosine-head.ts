import { beforeAll, describe, expect, test } from 'vitest';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import type { ModelHead } from '../../src/models/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import { tf } from '../../src/tf.ts';
import { infoWithCounts, warningsOf } from './plugins.ts';

const cosine = (scale = 1): ModelHead => ({ kind: 'cosine', scale });

/** Tests of a plugin whose loss needs a cosine classifier, and which has the option `scale`. */
export function describeCosineHead(plugin: (options?: { scale?: number }) => Plugin): void {
  describe('prediction', () => {
    beforeAll(async () => {
      await loadBackend();
    });

    test('scales the cosines and changes no order', () => {
      const { hooks } = compose([plugin({ scale: 30 })], infoWithCounts([9, 3, 1], { head: cosine(2) }));
      const predict = hooks.buildPrediction.call(() => tf.tensor2d([[1, -2, 0.5]]));
      const pass = { training: false, inputs: {}, variants: {}, atStage: (_: string, x: tf.Tensor) => x };
      expect([...predict({}, {}, tf.zeros([1, 1, 1, 1]) as tf.Tensor4D, pass).dataSync()]).toEqual([15, -30, 7.5]);
    });
  });

  test('a linear head is refused, an unknown one warned of', () => {
    const info = (head: ModelHead | null) => infoWithCounts([9, 3, 1], { head });
    expect(() => compose([plugin()], info({ kind: 'linear', scale: 1 }))).toThrow(
      /^plugins\[0\] \((ldam|gcl)\) requires a cosine classifier; the model has a linear one\.\n {2}Set model\.head: cosine\.$/,
    );
    expect(warningsOf([plugin()], info(null))).toHaveLength(1);
    expect(warningsOf([plugin()], info(cosine()))).toEqual([]);
  });
}
