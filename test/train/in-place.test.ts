import { expect, test } from 'vitest';
import { z } from 'zod';
import { definePlugin, Order } from '../../src/plugin.ts';
import { recordRun } from '../support/recorded-run.ts';

/** Mixes, relabels and weights classes, by copies or in place. */
const plugin = (copies: boolean) =>
  definePlugin({
    name: 'mixer',
    options: z.strictObject({}),
    provides: ['mix'],
    variants: () => ({ mix: ['input'] }),
    apply({ hooks, random }) {
      hooks.computeClassWeights.tap('mixer', (weights, { epoch }) => {
        if (copies) return weights.map((weight, c) => weight * (c + epoch));
        weights.forEach((weight, c) => {
          weights[c] = weight * (c + epoch);
        });
        return weights;
      });
      hooks.onBatch.tap({ name: 'mixer', stage: Order.Mix }, (batch, { epoch, step }) => {
        const pair = random(epoch, step).permutation(batch.size);
        if (copies) return { ...batch, pair, lambda: batch.lambda.map(() => 0.75) };
        batch.pair.set(pair);
        batch.lambda.fill(0.75);
        return batch;
      });
      hooks.computeTargets.tap('mixer', (targets) => {
        const halved = targets.labelWeight.map((weight) => weight / 2);
        if (copies) return { ...targets, labelWeight: halved };
        targets.labelWeight.set(halved);
        return targets;
      });
    },
  })();

test.each(['eager', 'auto'] as const)('%s: arrays changed in place train as copies do', async (step) => {
  const [copied, inPlace] = [
    await recordRun([plugin(true)], { epochs: 3, step }),
    await recordRun([plugin(false)], { epochs: 3, step }),
  ];
  expect(inPlace.steps).toEqual(copied.steps);
  expect(inPlace.state).toEqual(copied.state);
});
