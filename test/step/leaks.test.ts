import process from 'node:process';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { registry } from '../../plugins/index.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import { tf } from '../../src/tf.ts';
import type { TrainOptions } from '../../src/train/options.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { settings } from '../plugins/settings.ts';
import { squares } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { modelFor } from '../support/tiny-transformer.ts';
import { describeNative } from './captured-support.ts';

const plugin = (name: string, apply: Parameters<typeof definePlugin>[0]['apply']): Plugin =>
  definePlugin({ name, options: z.strictObject({}), apply: (host) => apply(host, {}) })();

/** Trains 15 steps of three sizes; tensors alive after each step, and what Node.js was told to warn of. */
async function train(plugins: readonly Plugin[], step: TrainOptions['step'] = 'eager') {
  const alive: number[] = [];
  const observer = plugin('observer', ({ hooks }) => {
    hooks.onBatchEnd.tap('observer', () => void alive.push(tf.memory().numTensors));
  });
  const warnings: string[] = [];
  const listen = ({ message, ...warning }: Error & { code?: string }): void => {
    if (warning.code === 'PLUGIN_LEAKS') warnings.push(message);
  };
  process.on('warning', listen);
  try {
    await createTrainer({
      data: { ...squares([10, 5, 3, 2]), validation: squares().test },
      model: modelFor(plugins),
      plugins: [...plugins, observer],
      train: { epochs: 5, batchSize: 8, step },
      directory: await temporaryFolder(),
    }).run();
    await new Promise(setImmediate);
  } finally {
    process.off('warning', listen);
  }
  return { alive, warnings };
}

const kept: tf.Tensor[] = [];
const keep = <T extends tf.Tensor>(tensor: T): T => {
  kept.push(tf.keep(tensor));
  return tensor;
};

const onHost = plugin('on-host', ({ hooks }) => {
  hooks.onBatch.tap('on-host', (batch) => {
    keep(tf.scalar(1));
    return batch;
  });
});
const inStep = plugin('in-step', ({ hooks }) => {
  hooks.buildLoss.tap('in-step', (loss) => ({
    ...loss,
    termLoss: (...given) => keep(loss.termLoss(...given)),
  }));
});
const innocent = plugin('innocent', ({ hooks }) => {
  hooks.buildLoss.tap('innocent', (loss) => ({
    ...loss,
    penalties: { innocent: ({ features }) => features.square().mean() },
  }));
});
/** Fills a cache of its own in its first steps. */
const caching = plugin('caching', ({ hooks }) => {
  let step = 0;
  hooks.onBatchEnd.tap('caching', () => {
    if (step++ < 5) keep(tf.scalar(step));
  });
});

test.each(Object.entries(settings))(
  '%s: tensors stay as many over steps, and are gone after the run',
  async (name, { options, beside = [] }) => {
    const plugins = [...beside, (await registry[name]!()).default(options as never)];
    const before = tf.memory().numTensors;
    const { alive, warnings } = await train(plugins);
    expect(alive).toHaveLength(15);
    expect(new Set(alive).size, alive.join(' ')).toBe(1);
    expect(tf.memory().numTensors).toBe(before);
    expect(warnings).toEqual([]);
  },
);

test('a plugin that leaks is named, once, and no other', async () => {
  const { alive, warnings } = await train([innocent, onHost, inStep, caching]);
  tf.dispose(kept.splice(0));
  expect(alive.at(-1)! - alive.at(-2)!).toBe(2);
  expect(warnings).toMatchInlineSnapshot(`
    [
      "[on-host] onBatch: expected no tensor to stay after a call; each of the last 10 left some, the last one 1. Dispose of them, or make them inside tf.tidy(), or the run ends when memory does.",
      "[in-step] eager "train": expected no tensor to stay after a call; each of the last 10 left some, the last one 1. Dispose of them, or make them inside tf.tidy(), or the run ends when memory does.",
    ]
  `);
});

test('no warning of tensors that a plugin disposes of one step later, or that fill a cache', async () => {
  let last: tf.Tensor | null = null;
  const one = plugin('one', ({ hooks }) => {
    hooks.onBatchEnd.tap('one', () => {
      last?.dispose();
      last = tf.scalar(1);
    });
  });
  const { warnings } = await train([one, caching]);
  tf.dispose([last!, ...kept.splice(0)]);
  expect(warnings).toEqual([]);
});

describeNative('native', () => {
  test('auto goes on eagerly and names who leaks; captured refuses before the first step', async () => {
    const { warnings } = await train([inStep], 'auto');
    tf.dispose(kept.splice(0));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^\[in-step] /);
    await expect(train([inStep], 'captured')).rejects.toThrow(/^\[in-step] captured "train"/);
    tf.dispose(kept.splice(0));
  });
});
