import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { registry } from '../../plugins/index.ts';
import { exportRun } from '../../src/export/index.ts';
import type { ModelHead } from '../../src/models/types.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import { tf } from '../../src/tf.ts';
import { settings } from '../plugins/settings.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { trainedRun } from './support.ts';

type Change = (logits: tf.Tensor, images: tf.Tensor) => tf.Tensor;

/** A plugin that changes logits in its own way. */
const changing = (change: Change): Plugin =>
  definePlugin({
    name: 'own',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.buildPrediction.tap('own', (predict) => (weights, slots, images, pass) => {
        return change(predict(weights, slots, images, pass), images);
      });
    },
  })();

describeNative('the recorded prediction', (use) => {
  const exported = async (plugins: readonly Plugin[], head: ModelHead['kind'] = 'linear') => {
    const folder = join(await temporaryFolder(), 'model');
    const tunes = plugins.some(({ definition }) => definition.trains);
    const run = tunes
      ? await trainedRun({ model: { name: 'vit-tiny-16', width: 12, depth: 1, head }, plugins, shape: [32, 32, 3] })
      : await trainedRun({ model: { name: 'small-cnn', width: 2, head }, plugins, shape: [8, 8, 3] });
    return exportRun(run, use(), { format: 'saved-model', folder });
  };

  // What was read is for training alone, of another number of classes here.
  test.each(Object.entries(registry).filter(([name]) => !settings[name]!.reads))(
    'is that of a run with %s',
    async (name, load) => {
      const { options, beside = [] } = settings[name]!;
      const { default: factory } = await load();
      const { difference, largest } = await exported([...beside, factory(options)], factory.definition.head);
      expect(difference / largest).toBeLessThan(1e-5);
    },
  );

  test.each<[string, Change]>([
    ['an array of the size of the batch that has equal rows', (logits) => logits.add(tf.ones(logits.shape).mul(2))],
    ['a filled array', (logits) => logits.mul(tf.fill(logits.shape, 2))],
    [
      'shapes with the batch size in them',
      (logits, images) => {
        const [rows = 0, classes = 0] = logits.shape;
        return logits
          .reshape([rows * classes])
          .reshape([rows, classes])
          .add(images.slice([0, 0, 0, 0], [rows, 1, 1, 1]).reshape([rows, 1]));
      },
    ],
  ])('works for any number of images with %s', async (_, change) => {
    const { difference, largest } = await exported([changing(change)]);
    expect(difference / largest).toBeLessThan(1e-5);
  });

  const refusal = async (change: Change): Promise<string> => {
    const message = await messageOfError(() => exported([changing(change)]));
    return message.replace(/\d\.\d+(e[+-]\d+)?/g, '…');
  };

  test('is refused with an op that has the batch size as a constant', async () => {
    const numbered = (logits: tf.Tensor): tf.Tensor => logits.add(tf.range(0, logits.shape[0]).reshape([-1, 1]));
    expect(await refusal(numbered)).toMatchInlineSnapshot(
      `"[own] export: expected ops that work for any number of images; Add takes that number as a constant. Let the shape follow from a tensor (reshape with -1, broadcasting)."`,
    );
    const tiled = (logits: tf.Tensor): tf.Tensor => logits.add(tf.tile(logits.slice(0, 1), [logits.shape[0], 1]));
    expect(await refusal(tiled)).toMatchInlineSnapshot(
      `"[own] export: expected ops that work for any number of images; Tile takes that number as a constant. Let the shape follow from a tensor (reshape with -1, broadcasting)."`,
    );
  });

  test('is refused with other ops for another batch size', async () => {
    const choosing = (logits: tf.Tensor): tf.Tensor => (logits.shape[0] === 13 ? logits.abs() : logits.square());
    expect(await refusal(choosing)).toMatchInlineSnapshot(
      `"[own] export: expected the same ops for any number of images; got Abs for one number and Square for another."`,
    );
  });

  test('is refused with a result that depends on the other images', async () => {
    expect(await refusal((logits) => logits.sub(logits.mean(0, true).mul(0.5)))).toMatchInlineSnapshot(
      `"export: expected the logits of the run; the exported graph differs by … where logits reach …. A plugin's prediction depends on more than its input; nothing was written."`,
    );
  });

  test('is refused as tfjs with an op that TensorFlow.js does not load', async () => {
    const folder = join(await temporaryFolder(), 'model');
    const segments = (logits: tf.Tensor): tf.Tensor =>
      tf.unsortedSegmentSum(logits.transpose(), tf.tensor1d([0, 1, 2, 3, 4], 'int32'), 5).transpose();
    const run = await trainedRun({ model: { name: 'mlp', width: 2 }, plugins: [changing(segments)], shape: [4, 4, 1] });
    expect(await messageOfError(() => exportRun(run, use(), { format: 'tfjs', folder }))).toMatchInlineSnapshot(
      `"export: expected ops that TensorFlow.js can be written with; got UnsortedSegmentSum. Use another --format."`,
    );
  });

  test('goes into a new or empty folder, all of it or nothing', async () => {
    const root = await temporaryFolder();
    const run = await trainedRun({ model: { name: 'mlp', width: 3 }, shape: [4, 4, 1] });
    await exportRun(run, use(), { format: 'tfjs', folder: join(root, 'model') });
    expect(await readdir(root)).toEqual(['model']);
    expect((await readdir(join(root, 'model'))).sort()).toEqual([
      'classes.json',
      'group1-shard1of1.bin',
      'model.json',
      'preprocess.mjs',
      'preprocessing.json',
    ]);
    const message = await messageOfError(
      () => exportRun(run, use(), { format: 'tfjs', folder: join(root, 'model') }),
      root,
    );
    expect(message).toMatchInlineSnapshot(
      `"…/model: expected a new or empty folder to export to. Choose another --out, or --force, which replaces an export."`,
    );
  });
});
