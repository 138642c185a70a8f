import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import focal from '../../plugins/focal/index.ts';
import labelSmoothing from '../../plugins/label-smoothing/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import reweight from '../../plugins/reweight/index.ts';
import sam from '../../plugins/sam/index.ts';
import type { Hooks } from '../../src/hooks.ts';
import { definePlugin, Order, type Plugin } from '../../src/plugin.ts';
import { stopGradient } from '../../src/step/stop-gradient.ts';
import type { BatchResult, Loss } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { describeNative, relativeDistance } from './captured-support.ts';

const own = (apply: (hooks: Hooks) => void, name = 'own'): Plugin =>
  definePlugin({ name, options: z.strictObject({}), apply: ({ hooks }) => apply(hooks) })();

const losing = (change: (loss: Loss) => Partial<Loss>, stage = 0): Plugin =>
  own((hooks) => void hooks.buildLoss.tap({ name: 'own', stage }, (loss) => ({ ...loss, ...change(loss) })));

async function train(
  plugins: readonly Plugin[],
  step: 'eager' | 'captured',
  changes: Partial<TrainerOptions['train']> = {},
) {
  const results: BatchResult[] = [];
  let mode = '';
  const observer = own((hooks) => {
    hooks.onTrainBegin.tap('observer', (run) => {
      mode = run.engine.mode;
    });
    hooks.onBatchEnd.tap('observer', (result) => void results.push(structuredClone(result)));
  }, 'observer');
  const { snapshot, epochs } = await createTrainer({
    data: squares([10, 5, 3, 2]),
    model: tinyModel(),
    plugins: [...plugins, observer],
    train: { epochs: 3, batchSize: 8, step, optimizer: { name: 'sgd', learningRate: 0.01 }, ...changes },
  }).run();
  expect(mode).toBe(step);
  const state = Object.fromEntries(Object.entries(snapshot!.state).map(([name, { values }]) => [name, values]));
  return { results, state, epochs, losses: results.map(({ loss }) => loss) };
}

/** The model's logits under two names of the plugin's: half of each is the whole. */
const twice = losing(({ scored }) => {
  const half: Loss['scored'][string] = ({ logits }) => ({ logits, factor: 0.5 });
  expect(Object.keys(scored)).toEqual(['logits']);
  return { scored: { 'own/1': half, 'own/2': half } };
});

const modes = ['eager', 'captured'] as const;

describeNative('scored logits', () => {
  test.each(modes)('%s: margins, smoothing, label rules and class weights act on each', async (step) => {
    const others = () => [mixup(), remix({ kappa: 1.5 }), reweight(), focal(), labelSmoothing()];
    const plain = await train(others(), step);
    const halves = await train([twice, ...others()], step);
    expect(
      relativeDistance({ losses: Float32Array.from(halves.losses) }, { losses: Float32Array.from(plain.losses) }),
    ).toBeLessThan(1e-6);
    expect(relativeDistance(halves.state, plain.state)).toBeLessThan(1e-6);
  });

  test.each(modes)('%s: rows that weigh something else, and are not mixed', async (step) => {
    const weighing = losing(() => ({
      scored: {
        'own/rows': ({ logits }, { inputs }) => ({ logits, weight: inputs.weight!.mul(0).add(2) }),
      },
    }));
    const { results } = await train([mixup(), weighing], step, { epochs: 1, reduction: 'mean' });
    const plain = await train(
      [losing(() => ({ perSample: { 'own/logits': ({ logits }) => logits } })), mixup()],
      step,
      {
        epochs: 1,
        reduction: 'mean',
      },
    );
    // Twice the mean cross-entropy towards each row's own label, whatever the partner is.
    const { outputs, targets, batch } = plain.results[0]!;
    const logits = outputs['own/logits'] as Float32Array;
    const losses = [...targets.labels].map((label, i) => {
      const row = [...logits.subarray(4 * i, 4 * i + 4)];
      return Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - row[label]!;
    });
    expect(results[0]!.loss).toBeCloseTo((2 * losses.reduce((a, b) => a + b)) / batch.size, 4);
  });
});

describeNative('terms, figures and arrays of rows', () => {
  test.each(modes)('%s: a term that is the loss again doubles it, mixed and weighted', async (step) => {
    const again = losing(
      ({ termLoss, adjustLogits, terms }) => ({
        terms: {
          ...terms,
          own: ({ logits }, labels, pass) => termLoss(adjustLogits(logits, labels, pass), labels, pass),
        },
      }),
      Order.Observe,
    );
    const others = () => [mixup(), remix({ kappa: 1.5 }), reweight(), labelSmoothing()];
    const plain = await train(others(), step);
    const doubled = await train([...others(), again], step, { optimizer: { name: 'sgd', learningRate: 0.005 } });
    doubled.results.forEach(({ loss, figures }, i) => {
      expect(loss / plain.losses[i]!).toBeCloseTo(2, 4);
      expect(figures.own! / plain.losses[i]!).toBeCloseTo(1, 4);
    });
    expect(doubled.epochs[0]!.train.figures!.own! / doubled.epochs[0]!.train.loss).toBeCloseTo(0.5, 5);
    expect(plain.epochs[0]!.train).not.toHaveProperty('figures');
  });

  const watching = () =>
    losing(({ figures, perSample }) => ({
      figures: { ...figures, 'own/norm': ({ features }) => features.square().mean() },
      perSample: {
        ...perSample,
        'own/features': ({ features }) => features,
        'own/first': ({ features }) => features.slice([0, 0], [-1, 1]).reshape([-1]),
      },
    }));

  test.each(modes)('%s: what is logged is not minimised, and the host gets a row for each', async (step) => {
    const plain = await train([], step);
    const watched = await train([watching()], step);
    expect(watched.state).toEqual(plain.state);
    expect(watched.losses).toEqual(plain.losses);
    for (const { figures, outputs, batch } of watched.results) {
      const features = outputs['own/features'] as Float32Array;
      expect(features).toHaveLength(8 * batch.size);
      expect([...outputs['own/first']!]).toEqual([...features].filter((_, i) => i % 8 === 0));
      expect(features.reduce((sum, x) => sum + x * x, 0) / features.length).toBeCloseTo(figures['own/norm']!, 5);
    }
    expect(plain.results[0]).toMatchObject({ figures: {}, outputs: {} });
  });

  test.each(modes)('%s, 2 replicas: rows in the order of the batch, figures as means', async (step) => {
    const one = await train([watching()], step, { epochs: 1, dropLast: true });
    const two = await train([watching()], step, { epochs: 1, dropLast: true, replicas: 2 });
    // tinyModel centres features by the mean of its rows, which are another replica's.
    expect(two.results[0]!.outputs['own/features']).toHaveLength(64);
    const raw = losing(() => ({ perSample: { 'own/labels': (_, __, { inputs }) => inputs.labels!.cast('float32') } }));
    const rows = await train([raw], step, { epochs: 1, dropLast: true, replicas: 2 });
    for (const { outputs, targets } of rows.results) expect([...outputs['own/labels']!]).toEqual([...targets.labels]);
    expect(one.results[0]!.figures['own/norm']).toBeGreaterThan(0);
  });

  test('captured equals eager', async () => {
    const plugins = () => [mixup(), sam(), watching()];
    const eager = await train(plugins(), 'eager');
    const captured = await train(plugins(), 'captured');
    expect(captured.results.map(({ figures }) => figures['own/norm']!.toPrecision(5))).toEqual(
      eager.results.map(({ figures }) => figures['own/norm']!.toPrecision(5)),
    );
    expect(relativeDistance(captured.state, eager.state)).toBeLessThan(1e-6);
  });
});

describeNative('the parts of gradients', () => {
  const byParts = (factorOf: (rows: tf.Tensor) => tf.Tensor) =>
    own((hooks) => {
      hooks.buildGradients.tap(
        'own',
        (_, { evaluate, rowLosses, differentiate }) =>
          (weights, pass) =>
            differentiate(weights, (all) => {
              const evaluated = evaluate(all, pass);
              const rows = rowLosses(evaluated.outputs, pass);
              const factor = factorOf(rows);
              const loss = rows.mul(factor).sum().div(pass.inputs.normalizer!);
              const perSample = { ...evaluated.perSample, 'own/factor': factor };
              return { ...evaluated, loss, perSample };
            }),
      );
    });

  test.each(modes)('%s: put together they are core’s own; rows can be weighed', async (step) => {
    const others = () => [mixup(), remix({ kappa: 1.5 }), reweight(), labelSmoothing()];
    const plain = await train(others(), step);
    const same = await train([...others(), byParts((rows) => tf.onesLike(rows))], step);
    expect(relativeDistance(same.state, plain.state)).toBeLessThan(1e-6);
    const weighed = await train([byParts((rows) => stopGradient(rows.neg().exp()))], step);
    const { outputs, loss } = weighed.results[0]!;
    const factors = [...outputs['own/factor']!];
    const expected = factors.reduce((sum, factor) => sum - Math.log(factor) * factor, 0) / factors.length;
    expect(loss).toBeCloseTo(expected, 5);
  });
});

describe('what a plugin gives wrongly', () => {
  const scored = (value: unknown) => ({ scored: { 'own/a': () => value } }) as unknown as Partial<Loss>;
  test.each([
    [
      'no logits at all',
      () => ({ scored: {} }),
      '[own] buildLoss, scored: expected logits to score, or terms; got none.',
    ],
    [
      'a name of somebody else',
      ({ figures }: Loss) => ({ figures: { ...figures, other: () => tf.scalar(1) } }),
      '[own] buildLoss, figures: expected names of own, "own" or "own/…"; got "other".',
    ],
    [
      'logits of other classes',
      () => scored({ logits: tf.zeros([8, 3]) }),
      '[own] buildLoss, scored.own/a: logits: expected float32 [batch, C] = [8, 4]; got float32 [8, 3].',
    ],
    [
      'a factor that is a tensor',
      () => scored({ logits: tf.zeros([8, 4]), factor: tf.scalar(1) }),
      '[own] buildLoss, scored.own/a: factor: expected a finite number; got a float32 scalar.',
    ],
    [
      'a weight for partners alone',
      () => scored({ logits: tf.zeros([8, 4]), pairWeight: tf.ones([8]) }),
      '[own] buildLoss, scored.own/a: weight: expected what labels weigh, where pairWeight is given; got none.',
    ],
    [
      'a term that is reduced',
      () => ({ terms: { own: () => tf.scalar(1) } }),
      '[own] buildLoss, terms.own: expected float32 [batch] = [8]; got a float32 scalar. It gives a loss for each row; core weights and reduces them.',
    ],
    [
      'a figure with rows',
      () => ({ figures: { own: () => tf.zeros([8]) } }),
      '[own] buildLoss, figures.own: expected a float32 scalar; got float32 [8]. Reduce it, for example with .mean().',
    ],
    [
      'an array without rows',
      () => ({ perSample: { own: () => tf.zeros([3, 8]) } }),
      '[own] buildLoss, perSample.own: expected float32 [batch, …], batch = 8; got float32 [3, 8].',
    ],
    [
      'a figure that is no number',
      () => ({ figures: { own: ({ features }: { features: tf.Tensor }) => features.sum().mul(0).div(0) } }),
      '[own] buildLoss, figures.own: expected a finite number, got NaN in step 1 (epoch 1). Keep logarithms, roots and quotients away from 0.',
    ],
  ])('%s', async (_, change, message) => {
    await expect(train([losing(change as never)], 'eager')).rejects.toThrow(message);
  });

  test('extras without a name of a plugin', async () => {
    const extra = own((hooks) =>
      hooks.buildModel.tap('own', (forward) => (...given) => ({
        ...forward(...given),
        extras: { mine: tf.scalar(1) },
      })),
    );
    await expect(train([extra], 'eager')).rejects.toThrow(
      '[own] buildModel: extras["mine"]: expected a name "<plugin>/<name>"; got "mine".',
    );
  });
});
