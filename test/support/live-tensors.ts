import { z } from 'zod';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import { tf } from '../../src/tf.ts';
import type { TrainOptions } from '../../src/train/options.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { squares } from './squares.ts';
import { temporaryFolder } from './temporary.ts';
import { modelFor } from './tiny-transformer.ts';

/** Tensors alive in tfjs, and in TensorFlow where that is the backend. */
function liveTensors(): number[] {
  const { binding } = tf.backend() as unknown as { binding?: { getNumOfTensors(): number } };
  return [tf.memory().numTensors, binding?.getNumOfTensors() ?? 0];
}

/** Trains the tiny model for seven epochs of a step: tensors alive before the run, after each epoch, and after the run. */
export async function countTensors(plugins: readonly Plugin[], step: TrainOptions['step']) {
  const epochs: number[][] = [];
  let mode: string | undefined;
  const observer = definePlugin({
    name: 'observer',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.onEpochEnd.tap('observer', (_, run) => {
        mode = run.engine.mode;
        epochs.push(liveTensors());
      });
    },
  });
  const before = liveTensors();
  await createTrainer({
    data: { ...squares([10, 3, 2, 1]), validation: squares().test },
    model: modelFor(plugins),
    plugins: [...plugins, observer()],
    train: { epochs: 7, batchSize: 16, step },
    directory: await temporaryFolder(),
  }).run();
  return { mode, before, epochs, after: liveTensors() };
}
