import { expect, test } from 'vitest';
import { z } from 'zod';
import manifoldMixup from '../../plugins/manifold-mixup/index.ts';
import { compose } from '../../src/compose/compose.ts';
import type { Signature } from '../../src/graph/index.ts';
import { definePlugin } from '../../src/plugin.ts';
import type { Batch, EpochContext, StepContext } from '../../src/step/types.ts';
import { createRehearsal } from '../../src/train/rehearse.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { describeNative } from '../step/captured-support.ts';
import { smallInfo } from '../support/info.ts';
import { squares, tinyModel } from '../support/squares.ts';

interface Heard {
  batch: Batch;
  ctx: StepContext;
  epoch: EpochContext;
  classWeights: Float64Array;
  samplingWeights: Float64Array | null;
  learningRate: number;
}

/** Notes what the hooks of a step were last called with. */
function listener() {
  const heard = {} as Heard;
  const plugin = definePlugin({
    name: 'listener',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.computeSamplingWeights.tap('listener', (samplingWeights) => {
        heard.samplingWeights = samplingWeights;
        return samplingWeights;
      });
      hooks.computeClassWeights.tap('listener', (classWeights, epoch) => {
        Object.assign(heard, { classWeights, epoch });
        return classWeights;
      });
      hooks.computeLearningRate.tap('listener', (learningRate) => {
        heard.learningRate = learningRate;
        return learningRate;
      });
      hooks.onBatch.tap('listener', (batch, ctx) => {
        Object.assign(heard, { batch, ctx });
        return batch;
      });
    },
  });
  return { heard, plugin };
}

const signatures = [8, 3].flatMap((size) =>
  ['input', 'stage1', 'stage2', 'pool'].map(
    (mix): Signature => ({ call: 'train', variants: { mix }, inputs: { labels: { shape: [size], dtype: 'int32' } } }),
  ),
);
const predict: Signature = { call: 'predict', variants: {}, inputs: {} };

/** Elements of two arrays that are equal. */
const agreeing = (a: ArrayLike<number>, b: ArrayLike<number>): number[] =>
  Array.from(b).filter((value, i) => value === a[i]);

test('two rehearsals of a signature differ in all that steps differ in; the first is its own size and variants', () => {
  const { heard, plugin } = listener();
  const info = smallInfo({ epochs: 4, modelStages: ['input', 'stage1', 'stage2', 'pool'] });
  const composition = compose([manifoldMixup({ stages: ['input', 'stage1', 'stage2', 'pool'] }), plugin()], info);
  const rehearse = createRehearsal(composition, info, [8, 3]);
  for (const signature of [...signatures, predict]) {
    rehearse(1, signature);
    const first = { ...heard };
    rehearse(2, signature);
    const second = { ...heard };
    expect([first.batch.size, first.batch.variants]).toEqual(
      signature === predict ? [8, expect.anything()] : [signature.inputs.labels!.shape[0], signature.variants],
    );
    expect(second.batch.size).not.toBe(first.batch.size);
    expect(second.batch.variants.mix).not.toBe(first.batch.variants.mix);
    for (const name of ['indices', 'labels', 'lambda'] as const) {
      expect(agreeing(first.batch[name], second.batch[name])).toEqual([]);
    }
    expect(agreeing(first.classWeights, second.classWeights)).toEqual([]);
    expect([first.samplingWeights, second.samplingWeights]).toEqual([null, expect.any(Float64Array)]);
    expect(second.learningRate).not.toBe(first.learningRate);
    expect(first.ctx).toMatchObject({ epoch: 1, rehearsal: true });
    expect(second.ctx.epoch).toBeGreaterThan(info.epochs);
    expect(first.ctx.stepInEpoch).not.toBe(second.ctx.stepInEpoch);
    for (const every of [2, 3, 4, 5, 6]) expect(second.ctx.epoch % every).not.toBe(first.ctx.epoch % every);
    for (const { epoch, ctx } of [first, second]) expect(epoch).toEqual({ epoch: ctx.epoch, rehearsal: true });
  }
});

/** Calls of a step's hook: real ones, and rehearsals. State counts the real ones. */
async function trainCounting(step: 'eager' | 'captured') {
  const calls = { real: 0, rehearsed: 0, state: 0 };
  const plugin = definePlugin({
    name: 'counting',
    options: z.strictObject({}),
    apply({ hooks }) {
      hooks.onBatch.tap('counting', (batch, { rehearsal }) => {
        calls[rehearsal ? 'rehearsed' : 'real']++;
        calls.state++;
        return batch;
      });
      return { save: () => calls.state, load: (saved) => void Object.assign(calls, { state: saved }) };
    },
  });
  await createTrainer({
    data: squares(),
    model: tinyModel(),
    plugins: [plugin()],
    train: { epochs: 2, batchSize: 8, step },
  }).run();
  return calls;
}

test('eager steps are not rehearsed', async () => {
  expect(await trainCounting('eager')).toEqual({ real: 10, rehearsed: 0, state: 10 });
});

describeNative('captured', () => {
  test('hooks see that they are rehearsed; state is put back', async () => {
    // Two batch sizes and prediction, twice each.
    expect(await trainCounting('captured')).toEqual({ real: 10, rehearsed: 6, state: 10 });
  });
});
