import { expect, it } from 'vitest';
import { z } from 'zod';
import checkpoint from '../../plugins/checkpoint/index.ts';
import tracking from '../../plugins/tracking/index.ts';
import { definePlugin } from '../../src/plugin.ts';
import { checkpointEpochs, readLatest } from '../../src/tracking/checkpoint.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A rate at one step at which every weight becomes infinite. */
const leapAt = (bad: number) =>
  definePlugin({
    name: 'leap',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.computeLearningRate.tap('leap', (rate, { step }) => (step === bad ? 1e39 : rate));
    },
  })();

const settings = {
  data: { name: 'digits', workers: 0 },
  model: { name: 'mlp', width: 4 },
  train: { epochs: 3, step: 'eager', batchSize: 512 },
  evaluate: { every: 3 },
  backend: 'wasm',
} as const;

it('a state that diverged at the last step of an epoch that is not evaluated is no checkpoint, and the last good one stays', async () => {
  const directory = await temporaryFolder();
  const run = async (resume?: Awaited<ReturnType<typeof readLatest>>['snapshot']) =>
    createTrainer({
      ...settings,
      directory,
      plugins: [tracking(), checkpoint({ keep: 1 }), leapAt(8)],
      ...(resume && { resume }),
    }).run();
  await expect(run()).rejects.toMatchObject({ code: 'STATE_NOT_FINITE' });
  expect(await checkpointEpochs(directory)).toEqual([1]);
  const { snapshot } = await readLatest(directory);
  await expect(run(snapshot)).rejects.toMatchObject({ code: 'STATE_NOT_FINITE' });
  expect(await checkpointEpochs(directory)).toEqual([1]);
});
