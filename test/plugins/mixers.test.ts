import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import balancedMixup from '../../plugins/balanced-mixup/index.ts';
import choose from '../../plugins/choose/index.ts';
import cmo from '../../plugins/cmo/index.ts';
import cutmix from '../../plugins/cutmix/index.ts';
import drw from '../../plugins/drw/index.ts';
import labelAwareSmoothing from '../../plugins/label-aware-smoothing/index.ts';
import labelSmoothing from '../../plugins/label-smoothing/index.ts';
import mamix from '../../plugins/mamix/index.ts';
import manifoldMixup from '../../plugins/manifold-mixup/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix, { remixLambda } from '../../plugins/remix/index.ts';
import unimix from '../../plugins/unimix/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import type { Model } from '../../src/models/types.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import type { Batch } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { describeNative } from '../step/captured-support.ts';
import { uniform } from '../support/info.ts';
import { at, infoWithCounts, mixBatch } from '../support/plugins.ts';
import { squares, tinyModel } from '../support/squares.ts';

const counts = [300, 100, 20];
const B = 6;
const PIXELS = 8 * 8 * 3;
const HIDDEN = 5;

/** Every mixer, so that each batch is mixed. */
const mixers: Record<string, () => Plugin> = {
  mixup: () => mixup({ lambda: 'sample' }),
  cutmix: () => cutmix(),
  'manifold-mixup': () => manifoldMixup(),
  unimix: () => unimix(),
  cmo: () => cmo({ probability: 1, skipFirst: 0, skipLast: 0 }),
  'balanced-mixup': () => balancedMixup({ alpha: 1 }),
  choose: () =>
    choose({
      of: [
        { plugin: manifoldMixup() },
        { plugin: cutmix() },
        { plugin: cmo({ probability: 1, skipFirst: 0, skipLast: 0 }), weight: 2 },
      ],
    }),
};
const names = Object.keys(mixers);
const info = (seed = 0, classCounts = counts) =>
  infoWithCounts(classCounts, { seed, modelStages: ['input', 'stage1'], epochs: 10 });
const labelsOf = (pool: number) => Int32Array.from({ length: pool }, (_, i) => (i + Math.floor(i / 5)) % 3);
const poolOf = (groups: object): number => B * (1 + Object.keys(groups).length);

const kernel = uniform(PIXELS * HIDDEN, 'kernel').map((x) => x * 0.1);

/** Keeps what it has after each stage as statistics, so that a test may read the mixed images back. */
const recorder: Model = {
  name: 'recorder',
  stages: ['input', 'stage1'],
  featureSize: HIDDEN,
  weights: [
    { name: 'kernel', shape: [PIXELS, HIDDEN], kind: 'kernel', initial: () => kernel },
    { name: 'classifier', shape: [HIDDEN, 3], kind: 'kernel', initial: () => uniform(HIDDEN * 3, 'classifier') },
    { name: 'seen/input', shape: [B, PIXELS], kind: 'statistic', initial: () => new Float32Array(B * PIXELS) },
    { name: 'seen/stage1', shape: [B, HIDDEN], kind: 'statistic', initial: () => new Float32Array(B * HIDDEN) },
  ],
  forward(weights, images, pass) {
    const x = pass.atStage('input', images);
    const flat = x.reshape([x.shape[0]!, -1]);
    const features = pass.atStage('stage1', tf.matMul(flat, weights.kernel!).tanh());
    const seen = { 'seen/input': tf.slice(flat, [0, 0], [B, PIXELS]), 'seen/stage1': features };
    return { logits: tf.matMul(features, weights.classifier!), features, statistics: seen };
  },
};

const mean = [0.5, 0.4, 0.3];
const std = [0.25, 0.2, 0.3];
const imagesOf = (pool: number): Uint8Array =>
  Uint8Array.from(uniform(pool * PIXELS, 'images'), (x) => Math.floor((x + 1) * 127.99));

/** One step of the plugins: the batch they left, its label weights, and what the model saw. */
function see(plugins: readonly Plugin[], step: number, seed = 0) {
  const composition = compose(plugins, info(seed));
  const pool = poolOf(composition.groups);
  const { batch, targets } = mixBatch(composition, labelsOf(pool), at(1, step));
  const program = createStepProgram(recorder, composition, {
    seed: 0,
    imageShape: [8, 8, 3],
    mean,
    std,
    batchSizes: [B],
    evaluateBatchSize: B,
    optimizer: createOptimizer({ name: 'sgd', learningRate: 0, momentum: 0, nesterov: false, weightDecay: 0 }),
  });
  const engine = createEagerEngine(program);
  engine.run(
    signatureFor(program, 'train', batch.variants, B),
    trainFeeds({
      batch,
      targets,
      images: imagesOf(pool),
      imageShape: [8, 8, 3],
      classWeights: Float64Array.of(1, 1, 1),
      learningRate: 0,
      reduction: 'mean',
    }),
  );
  const seen = engine.read(['seen/input', 'seen/stage1']);
  engine.dispose();
  return { batch, targets, seen };
}

/** What the model should have seen, mixed here number by number. */
function mixByHand({ pair, lambda, box, variants, poolSize }: Batch): Record<string, number[]> {
  const bytes = imagesOf(poolSize);
  const pixel = (row: number, i: number): number => (bytes[row * PIXELS + i]! / 255 - mean[i % 3]!) / std[i % 3]!;
  const inBox = (i: number): boolean => {
    const [y, x] = [Math.floor(i / 24), Math.floor(i / 3) % 8];
    return box !== null && y >= box.top && y < box.bottom && x >= box.left && x < box.right;
  };
  const atInput = (row: number, i: number): number => {
    const other = pair[row]!;
    if (variants.mix === 'input:box') return pixel(inBox(i) ? other : row, i);
    if (variants.mix !== 'input') return pixel(row, i);
    return lambda[row]! * pixel(row, i) + (1 - lambda[row]!) * pixel(other, i);
  };
  const hidden = (image: (i: number) => number, h: number): number => {
    let sum = 0;
    for (let i = 0; i < PIXELS; i++) sum += image(i) * kernel[i * HIDDEN + h]!;
    return Math.tanh(sum);
  };
  const atStage1 = (row: number, h: number): number => {
    const own = hidden((i) => atInput(row, i), h);
    if (variants.mix !== 'stage1') return own;
    return lambda[row]! * own + (1 - lambda[row]!) * hidden((i) => pixel(pair[row]!, i), h);
  };
  const all = (length: number, of: (row: number, i: number) => number): number[] =>
    Array.from({ length: B * length }, (_, k) => of(Math.floor(k / length), k % length));
  return { 'seen/input': all(PIXELS, atInput), 'seen/stage1': all(HIDDEN, atStage1) };
}

describe('images', () => {
  beforeAll(async () => {
    await loadBackend();
  });

  test.each(names)('%s: pixels and features are those mixed by hand', (name) => {
    const stages = new Set<string>();
    for (let step = 1; step <= 6; step++) {
      const { batch, seen } = see([mixers[name]!()], step);
      stages.add(batch.variants.mix!);
      expect(batch.pair.some((row, i) => row !== i)).toBe(true);
      for (const [place, expected] of Object.entries(mixByHand(batch))) {
        const worst = Math.max(...expected.map((value, i) => Math.abs(value - seen[place]![i]!)));
        expect(worst).toBeLessThan(2e-5);
      }
    }
    if (name === 'manifold-mixup') expect([...stages].sort()).toEqual(['input', 'stage1']);
    if (name === 'choose') expect(stages).toContain('input:box');
  });

  test.each(names)('%s: no label rule changes a pixel or a feature', (name) => {
    const rules = [[remix({ tau: 1 })], [mamix()], [labelSmoothing()], [labelAwareSmoothing(), remix()]];
    for (const step of [1, 2]) {
      const plain = see([mixers[name]!()], step);
      for (const rule of rules) {
        const { batch, seen } = see([mixers[name]!(), ...rule], step);
        expect(seen).toEqual(plain.seen);
        expect(batch).toEqual(plain.batch);
      }
    }
  });
});

describeNative('two epochs of drawn batches, captured = eager', () => {
  const train = async (plugins: readonly Plugin[], step: 'captured' | 'eager') => {
    const losses: number[] = [];
    const observer = definePlugin({
      name: 'observer',
      options: z.strictObject({}),
      apply({ hooks }) {
        hooks.onBatchEnd.tap('observer', ({ loss }) => void losses.push(loss));
      },
    });
    await createTrainer({
      data: squares([7, 3, 1, 1]),
      model: tinyModel(),
      plugins: [...plugins, observer()],
      train: { epochs: 2, batchSize: 4, step, optimizer: { name: 'sgd', learningRate: 0.01 } },
    }).run();
    return losses;
  };

  test.each(names)('%s, with Remix, class weights and smoothing', async (name) => {
    const plugins = () => [mixers[name]!(), remix(), drw({ deferUntil: 1 }), labelAwareSmoothing()];
    const [captured, eager] = [await train(plugins(), 'captured'), await train(plugins(), 'eager')];
    expect(eager).toHaveLength(6);
    captured.forEach((loss, step) => {
      expect(loss / eager[step]!).toBeCloseTo(1, 4);
    });
  });
});

describe.each(names)('label weights on %s', (name) => {
  const labels = (plugins: readonly Plugin[], seed: number, step: number, classCounts = counts) => {
    const composition = compose(plugins, info(seed, classCounts));
    return mixBatch(composition, labelsOf(4 * poolOf(composition.groups)), at(1, step));
  };
  const moments = [fc.nat(1000), fc.integer({ min: 1, max: 1000 })] as const;
  const share = fc.double({ min: 0, max: 1, noNaN: true });

  test('are those of the images, and lie in 0…1', () => {
    fc.assert(
      fc.property(...moments, (seed, step) => {
        const { batch, targets } = labels([mixers[name]!()], seed, step);
        expect(targets.labelWeight).toEqual(batch.lambda);
        for (const weight of batch.lambda) expect(weight >= 0 && weight <= 1).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test('Remix applies eq. 10 to the lambda of the images, re-adjusted where a box was cut', () => {
    let changed = 0;
    fc.assert(
      fc.property(...moments, (seed, step) => {
        const { batch, targets } = labels([mixers[name]!(), remix()], seed, step);
        targets.labelWeight.forEach((weight, i) => {
          const [ni, nj] = [counts[targets.labels[i]!]!, counts[targets.pairLabels[i]!]!];
          expect(weight).toBe(remixLambda(batch.lambda[i]!, ni, nj, { kappa: 3, tau: 0.5 }));
          if (weight !== batch.lambda[i]) changed++;
        });
      }),
      { numRuns: 30 },
    );
    expect(changed).toBeGreaterThan(0);
  });

  test('of any label rule lie in 0…1, and the two labels of a pair weigh 1 together', () => {
    const rules = fc.oneof(
      fc.record({ kappa: fc.double({ min: 1.01, max: 100, noNaN: true }), tau: share }).map(remix),
      fc.record({ omega: fc.double({ min: -1, max: 0, noNaN: true }) }).map(mamix),
    );
    fc.assert(
      fc.property(...moments, rules, (seed, step, rule) => {
        const { batch, targets } = labels([mixers[name]!(), rule], seed, step);
        const { weight, pairWeight } = trainFeeds({
          batch,
          targets,
          images: new Uint8Array(0),
          imageShape: [8, 8, 3],
          classWeights: Float64Array.of(1, 1, 1),
          learningRate: 0.1,
          reduction: 'mean',
        });
        expect(weight).toEqual(targets.labelWeight);
        for (const [i, own] of weight!.entries()) {
          expect(own >= 0 && own <= 1).toBe(true);
          expect(Math.abs(own + pairWeight![i]! - 1)).toBeLessThan(1e-7);
        }
      }),
      { numRuns: 30 },
    );
  });

  test.each([
    ['Remix with kappa infinity', () => remix({ kappa: Infinity }), counts],
    ['Remix with tau 0', () => remix({ tau: 0 }), counts],
    ['Remix on equal counts', () => remix({ tau: 1 }), [50, 50, 50]],
    ['MAMix with omega 0', () => mamix({ omega: 0 }), counts],
    ['MAMix on equal counts', () => mamix(), [50, 50, 50]],
  ])('%s is the plain mixer', (_, rule, classCounts) => {
    for (let step = 1; step <= 10; step++) {
      const plain = labels([mixers[name]!()], 3, step, classCounts);
      expect(labels([mixers[name]!(), rule()], 3, step, classCounts)).toEqual(plain);
    }
  });
});
