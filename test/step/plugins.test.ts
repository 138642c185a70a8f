import { expect, test } from 'vitest';
import { z } from 'zod';
import { registry } from '../../plugins/index.ts';
import type { TrainOptions } from '../../src/config/schema.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import { createTrainer, type TrainerOptions } from '../../src/trainer.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { describeNative, relativeDistance } from './captured-support.ts';

const MIXER: Readonly<Record<string, string>> = { remix: 'mixup', mamix: 'mixup' };

const pluginsNamed = (names: readonly string[]): Promise<Plugin[]> =>
  Promise.all(names.map(async (name) => (await registry[name as keyof typeof registry]!()).default()));

/** Trains on 20 images; the last batch of an epoch is smaller. */
async function train(
  step: TrainOptions['step'],
  model: TrainerOptions['model'],
  names: readonly string[],
  batchSize: number,
) {
  const losses: number[] = [];
  let mode: string | undefined;
  const observer = definePlugin({
    name: 'observer',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.onTrainBegin.tap('observer', (run) => {
        mode = run.engine.mode;
      });
      hooks.onBatchEnd.tap('observer', ({ loss }) => void losses.push(loss));
    },
  });
  const { snapshot } = await createTrainer({
    data: { ...squares([10, 5, 3, 2]), validation: squares().test },
    model,
    plugins: [...(await pluginsNamed(names)), observer()],
    train: { epochs: 7, batchSize, step, optimizer: { name: 'sgd', learningRate: 0.01 } },
    directory: await temporaryFolder(),
  }).run();
  const state = Object.entries(snapshot!.state).map(([name, { values }]) => [name, values] as const);
  return { mode, losses, state: Object.fromEntries(state) };
}

async function expectSameTraining(model: TrainerOptions['model'], names: readonly string[], tolerance: number) {
  const eager = await train('eager', model, names, 8);
  const captured = await train('captured', model, names, 8);
  expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
  expect(eager.losses).toHaveLength(21);
  expect(relativeDistance({ losses: captured.losses }, { losses: eager.losses })).toBeLessThan(tolerance);
  expect(Object.keys(captured.state)).toEqual(Object.keys(eager.state));
  expect(relativeDistance(captured.state, eager.state)).toBeLessThan(tolerance);
}

describeNative('21 steps, captured as eager', () => {
  test.each(Object.keys(registry))('%s', async (name) => {
    const names = name in MIXER ? [MIXER[name]!, name] : [name];
    await expectSameTraining(tinyModel(), names, 1e-5);
  });

  test.each([
    ['plain', []],
    ['mixing pixels and labels', ['mixup', 'remix', 'drw']],
    ['mixing features', ['manifold-mixup', 'label-smoothing']],
    ['pasting', ['cutmix', 'ema', 'balanced-softmax']],
    ['two passes', ['sam', 'focal']],
    ['two branches', ['bbn']],
  ] as const)('ResNet-32, %s', async (_, names) => {
    await expectSameTraining({ name: 'resnet32' }, names, 1e-4);
  });
});
