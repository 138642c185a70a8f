import { expect, test } from 'vitest';
import ema from '../../plugins/ema/index.ts';
import tauNorm from '../../plugins/tau-norm/index.ts';
import { extendModel } from '../../src/compose/declared.ts';
import type { Model } from '../../src/models/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { messageOfError } from '../support/message.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { describeTwoStage } from '../support/two-stage.ts';

describeTwoStage('tau-norm');

const kept = { name: 'small-cnn', width: 2 } as const;
const trained = (plugins: readonly Plugin[]) =>
  createTrainer({ data: squares(), model: kept, plugins, train: { epochs: 2, batchSize: 16 } }).run();

test('changes no weight; tau 0 with the bias changes no figure', async () => {
  const [plain, normalised, none] = await Promise.all([
    trained([]),
    trained([tauNorm()]),
    trained([tauNorm({ tau: 0, bias: 'keep' })]),
  ]);
  expect(normalised.snapshot!.state).toEqual(plain.snapshot!.state);
  expect(none.summary.last).toEqual(plain.summary.last);
});

test('normalises the averages of ema, in whichever order they are listed', async () => {
  const figures = async (plugins: readonly Plugin[]) => (await trained(plugins)).epochs.map(({ test: one }) => one);
  const [first, second, averaged] = [
    await figures([ema({ decay: 0.5 }), tauNorm()]),
    await figures([tauNorm(), ema({ decay: 0.5 })]),
    await figures([ema({ decay: 0.5 })]),
  ];
  expect(first).toEqual(second);
  expect(first).not.toEqual(averaged);
});

test('a model without a classifier of that name is refused', async () => {
  const model = tinyModel();
  const weights = model.weights.filter(({ name }) => name !== 'classifier/kernel');
  const nameless: Model = { ...model, name: 'nameless', weights };
  expect(await messageOfError(() => extendModel(nameless, tauNorm(), { classes: 3, imageShape: [6, 6, 2] }))).toBe(
    `[tau-norm] expected a model with the weight classifier/kernel, [features, classes]; nameless has none of that name. Name its classifier's weights classifier/kernel and classifier/bias.`,
  );
});

test('a model with one is taken as it is, whatever its other weights', async () => {
  const model = tinyModel();
  const weights = model.weights.filter(({ name }) => name === 'classifier/kernel');
  for (const taken of [model, { ...model, weights }]) {
    expect(extendModel(taken, tauNorm(), { classes: 4, imageShape: [8, 8, 3] }).weights).toHaveLength(
      taken.weights.length,
    );
  }
});

test.each([
  [{ tau: 1, bias: 'keep' }, []],
  [{ tau: 0, bias: 'keep' }, ['NO_EFFECT [tau-norm] tau is 0 and the bias is kept.']],
  [{ tau: 0 }, []],
] as const)('%j: what has no effect is warned of', (options, warnings) => {
  const info = infoWithCounts([300, 100, 20], { head: { kind: 'linear', scale: 1 } });
  expect(warningsOf([tauNorm(options)], info)).toEqual(warnings);
});
