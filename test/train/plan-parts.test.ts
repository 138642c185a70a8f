import { expect, test } from 'vitest';
import bbn from '../../plugins/bbn/index.ts';
import ema from '../../plugins/ema/index.ts';
import { z } from '../../src/index.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import { planRun } from '../../src/train/plan-run.ts';
import { squares, tinyModel } from '../support/squares.ts';

const linesOf = async (plugins: readonly Plugin[], changes: object = {}): Promise<string[]> => {
  const { plan } = await planRun({ data: squares(), model: tinyModel(), plugins, ...changes });
  const titles = ['adds', 'scored', 'terms', 'penalties', 'figures', 'per sample', 'parameters', 'state'];
  return plan
    .split('\n')
    .filter((line) => titles.includes(line.slice(0, 24).trim()))
    .map((line) => line.replace(/ {2,}/, ': '));
};

const own = definePlugin({
  name: 'own',
  options: z.strictObject({}),
  apply({ hooks }) {
    hooks.buildLoss.tap('own', (loss) => ({
      ...loss,
      scored: { 'own/a': ({ logits }) => ({ logits }), ...loss.scored },
      terms: { own: ({ logits }) => logits.mean(1) },
      penalties: { own: ({ logits }) => logits.mean() },
      figures: { 'own/one': ({ logits }) => logits.mean(), 'own/two': ({ logits }) => logits.max() },
      perSample: { 'own/logits': ({ logits }) => logits },
    }));
  },
});

const broken = definePlugin({
  name: 'broken',
  options: z.strictObject({}),
  apply({ hooks }) {
    hooks.buildLoss.tap('broken', () => {
      throw new Error('no TensorFlow yet');
    });
  },
});

test('parameters, and the memory of weights, statistics and momentum', async () => {
  // 192·8 + 8·4 + 4 parameters and a statistic of 8.
  expect(await linesOf([])).toEqual([
    'parameters: 1,572, all trained',
    'state: 13 kB: weights 6.3 kB, optimizer and plugins 6.3 kB',
  ]);
});

test('weights and parts of the loss that plugins add; averages are in the state', async () => {
  expect(await linesOf([own(), ema()])).toEqual([
    'scored: own/a  logits',
    'terms: own',
    'penalties: own',
    'figures: own/one  own/two',
    'per sample: own/logits',
    'parameters: 1,572, all trained',
    'state: 19 kB: weights 6.3 kB, optimizer and plugins 13 kB',
  ]);
  expect(await linesOf([bbn()], { start: { freeze: ['hidden'] } })).toEqual([
    'adds: bbn: 3 arrays, 1,568 parameters',
    'parameters: 3,140, 1,604 trained',
    'state: 19 kB: weights 13 kB, optimizer and plugins 6.4 kB',
  ]);
});

test('a plugin that throws when its part is built leaves its part out, and the plan is there', async () => {
  expect(await linesOf([broken()])).toEqual([
    'parameters: 1,572, all trained',
    'state: 13 kB: weights 6.3 kB, optimizer and plugins 6.3 kB',
  ]);
});
