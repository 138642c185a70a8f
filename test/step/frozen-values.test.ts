import { expect, test } from 'vitest';
import type { PluginContext } from '../../src/plugin.ts';
import { tf } from '../../src/tf.ts';
import { describeNative } from './captured-support.ts';
import {
  epochSeen,
  failure,
  NAME,
  type Source,
  scaleLogits,
  scaleMixedInFeatures,
  scalePrediction,
  type Use,
  varies,
} from './frozen-support.ts';

const onBatch =
  (numberOf: (...given: Parameters<Parameters<PluginContext['hooks']['onBatch']['tap']>[1]>) => number): Source =>
  ({ hooks }, value) => {
    hooks.onBatch.tap({ name: NAME, stage: 50 }, (batch, ctx) => {
      value.now = numberOf(batch, ctx);
      return batch;
    });
  };

let calls = 0;

const rehearsed: Record<string, Source> = {
  'an epoch': epochSeen,
  'whether an epoch is past a threshold': ({ hooks }, value) =>
    hooks.computeClassWeights.tap(NAME, (weights, { epoch }) => {
      value.now = epoch > 1 ? 2 : 1;
      return weights;
    }),
  'a class weight': ({ hooks }, value) =>
    hooks.computeClassWeights.tap(NAME, (weights) => {
      value.now = weights[1]!;
      return weights;
    }),
  'a sampling weight': ({ hooks }, value) =>
    hooks.computeSamplingWeights.tap(NAME, (weights) => {
      value.now = weights?.[1] ?? 0;
      return weights;
    }),
  'the learning rate': ({ hooks }, value) =>
    hooks.computeLearningRate.tap(NAME, (rate) => {
      value.now = rate;
      return rate;
    }),
  'a label weight': ({ hooks }, value) =>
    hooks.computeTargets.tap(NAME, (targets) => {
      value.now = targets.labelWeight[0]!;
      return targets;
    }),
  'what every third epoch does': onBatch((_, { epoch }) => (epoch % 3 === 0 ? 2 : 1)),
  'what every fourth step does': onBatch((_, { step }) => (step % 4 === 0 ? 2 : 1)),
  'a label': onBatch(({ labels }) => labels[0]!),
  'a row': onBatch(({ indices }) => indices[0]!),
  lambda: onBatch(({ lambda }) => lambda[0]!),
  'the size of the batch': onBatch(({ size }) => size),
  'the variant': onBatch(({ variants }) => (variants.mix === 'input' ? 1 : 2)),
  'a count of calls': onBatch(() => ++calls),
  'state of the plugin': (context, value) => {
    onBatch(() => value.now + 1)(context, value);
    return {
      save: () => value.now,
      load: (saved) => {
        value.now = saved as number;
      },
    };
  },
};

describeNative('a host value that a build function closes over is never frozen', () => {
  test.each(Object.entries(rehearsed))('%s, in the loss', async (_, from) => {
    expect(await failure(from, scaleLogits)).toMatchObject(varies(null));
  });

  test.each(['an epoch', 'the size of the batch', 'state of the plugin'])('%s, in prediction', async (from) => {
    expect(await failure(rehearsed[from]!, scalePrediction)).toMatchObject(varies(null));
  });

  const uses: Record<string, Use> = {
    'the loss of batches mixed in features': scaleMixedInFeatures,
    'the loss of an epoch’s last batch': ({ buildLoss }, value) =>
      buildLoss.tap(NAME, (loss) => ({
        ...loss,
        termLoss: (logits, labels, pass) => {
          const term = loss.termLoss(logits, labels, pass);
          return (logits.shape[0] === 3 ? term.mul(value.now) : term) as tf.Tensor1D;
        },
      })),
    'a penalty': ({ buildLoss }, value) =>
      buildLoss.tap(NAME, (loss) => ({
        ...loss,
        penalties: { ...loss.penalties, [NAME]: ({ features }) => features.mean().mul(value.now) as tf.Scalar },
      })),
    'the model': ({ buildModel }, value) =>
      buildModel.tap(NAME, (forward) => (...all) => {
        const outputs = forward(...all);
        return { ...outputs, logits: outputs.logits.mul(value.now) as tf.Tensor2D };
      }),
    'the gradients': ({ buildGradients }, value) =>
      buildGradients.tap(NAME, (gradients) => (...all) => {
        const backward = gradients(...all);
        const scaled = Object.entries(backward.gradients).map(([name, each]) => [name, each.mul(value.now)]);
        return { ...backward, gradients: Object.fromEntries(scaled) };
      }),
    'the update': ({ buildUpdate }, value) =>
      buildUpdate.tap(NAME, (update) => ({
        ...update,
        apply: (weights, slots, gradients, pass) => {
          const scaled = Object.entries(gradients).map(([name, each]) => [name, each.mul(value.now)]);
          return update.apply(weights, slots, Object.fromEntries(scaled), pass);
        },
      })),
    'one element of an array': ({ buildModel }, value) =>
      buildModel.tap(NAME, (forward) => (...all) => {
        const outputs = forward(...all);
        return { ...outputs, logits: outputs.logits.mul(tf.tensor1d([1, 1, value.now, 1])) as tf.Tensor2D };
      }),
    'a tensor from outside': ({ buildModel, computeTargets }, value) => {
      let outside = tf.scalar(value.now);
      computeTargets.tap(NAME, (targets) => {
        outside.dispose();
        outside = tf.scalar(value.now);
        return targets;
      });
      buildModel.tap(NAME, (forward) => (...all) => {
        const outputs = forward(...all);
        return { ...outputs, logits: outputs.logits.mul(outside) as tf.Tensor2D };
      });
    },
    'an attribute of an op': ({ buildModel }, value) =>
      buildModel.tap(NAME, (forward) => (...all) => {
        const outputs = forward(...all);
        return { ...outputs, logits: tf.leakyRelu(outputs.logits, value.now / 100) };
      }),
    'a branch': ({ buildModel }, value) =>
      buildModel.tap(NAME, (forward) => (...all) => {
        const outputs = forward(...all);
        return value.now === 1 ? outputs : { ...outputs, logits: outputs.logits.relu() };
      }),
  };

  test.each(Object.entries(uses))('an epoch, in %s', async (_, use) => {
    expect(await failure(epochSeen, use)).toMatchObject(varies(null));
  });

  test('the message names the value, element or attribute, the op and the plugin', async () => {
    const messages = [
      scaleLogits,
      ...['one element of an array', 'an attribute of an op', 'a branch'].map((name) => uses[name]!),
    ];
    const found: string[] = [];
    for (const use of messages) found.push((await failure(epochSeen, use)).message);
    expect(found).toMatchInlineSnapshot(`
      [
        "[my-plugin] captured "train": expected host values that never change; a float32 [] that feeds Mul was 1 in one recording and 120 in the next. A graph would keep the first for ever: declare it as an input.",
        "[my-plugin] captured "train": expected host values that never change; a float32 [4] that feeds Mul was, at element 2, 1 in one recording and 120 in the next. A graph would keep the first for ever: declare it as an input.",
        "[my-plugin] captured "train": expected attributes that never change; alpha of LeakyRelu was 0.01 in one recording and 1.2 in the next. Compute with an input tensor instead, or declare a variant.",
        "[my-plugin] captured "train": expected the same ops in every recording; op 43 was SparseSoftmaxCrossEntropyWithLogits [8], [8, 4] in one and Relu [8, 4] in the next. Declare what decides between them as a variant.",
      ]
    `);
  });
});
