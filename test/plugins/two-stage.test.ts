import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { lastBlock } from '../../plugins/bbn/branches.ts';
import bbn, { branchWeight } from '../../plugins/bbn/index.ts';
import ema from '../../plugins/ema/index.ts';
import { registry } from '../../plugins/index.ts';
import lws from '../../plugins/lws/index.ts';
import remix from '../../plugins/remix/index.ts';
import tauNorm from '../../plugins/tau-norm/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import { convolutionNormRelu } from '../../src/models/layers.ts';
import { network } from '../../src/models/network.ts';
import { frozenWeights } from '../../src/models/transfer.ts';
import type { Model } from '../../src/models/types.ts';
import { definePlugin, extendModel, type Plugin } from '../../src/plugin.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import type { Engine } from '../../src/step/types.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import reference from '../reference/two-stage.json' with { type: 'json' };
import { bothEngines, describeNative, relativeDistance } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { at, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';
import { squares, tinyModel } from '../support/squares.ts';

type Case = (typeof reference.cases)[number];

const SIZE = 5;
const imageShape: [number, number, number] = [6, 6, 2];
const task = { classes: 3, imageShape };
const values = reference.weights as Record<string, number[]>;

/** The script's network. */
const base = network({
  name: 'two-blocks',
  stages: [
    convolutionNormRelu('stage1/block1', { in: 2, out: 3 }),
    convolutionNormRelu('stage2/block1', { in: 3, out: 4, stride: 2 }),
  ],
  channels: 4,
  head: { head: 'linear', bias: true, scale: 1 },
  classes: 3,
});

/** The program of a case, its training step with plain SGD at rate 1, and its prediction. */
async function prepare(example: Case) {
  const { plugin, options, freeze, frozenNorm, epoch, weighted } = example;
  const plugins = plugin === null ? [] : [(await registry[plugin]!()).default(options as never)];
  const model = plugins.reduce((before, one) => extendModel(before, one, task), base);
  const start = { init: 'first', reset: [], freeze, frozenNorm: frozenNorm as 'batch' | 'running' };
  const { classCounts, mean, std, epochs, images, labels, classWeights } = reference;
  const info = infoWithCounts(classCounts, { imageShape, epochs, start, head: model.head! });
  const composition = compose(plugins, info);
  const pool = SIZE * (1 + Object.keys(composition.draws).length);
  const program = createStepProgram(model, composition, {
    seed: 0,
    imageShape,
    mean,
    std,
    batchSizes: [SIZE],
    evaluateBatchSize: SIZE,
    optimizer: createOptimizer({ name: 'sgd', learningRate: 1, momentum: 0, nesterov: false, weightDecay: 0 }),
    initial: Object.fromEntries(model.weights.map(({ name }) => [name, Float32Array.from(values[name]!)])),
    ...frozenWeights({ base, model }, start),
  });
  const { batch, targets } = mixBatch(composition, Int32Array.from(labels.slice(0, pool)), at(epoch));
  const pixels = Uint8Array.from(images.slice(0, (pool * images.length) / labels.length));
  const feeds = trainFeeds({
    batch,
    targets,
    images: pixels,
    imageShape,
    classWeights: Float64Array.from(weighted ? classWeights : [1, 1, 1]),
    learningRate: 1,
    reduction: 'weighted-mean',
  });
  const train = signatureFor(program, 'train', batch.variants, SIZE);
  const evaluated = { images: pixels.slice(0, (SIZE * images.length) / labels.length) };
  return {
    program,
    batch,
    step: (engine: Engine) => engine.run(train, feeds).loss![0]!,
    predict: (engine: Engine) => engine.run(signatureFor(program, 'predict', {}), evaluated).logits as Float32Array,
  };
}

const cases = reference.cases.map((example) => [example.name, example] as const);

describeBackends('one step against PyTorch (test/reference/two-stage.py)', (use) => {
  beforeAll(use);

  test.each(cases)('%s: loss, gradients, running statistics, prediction', async (_, example) => {
    const { program, step, predict } = await prepare(example);
    const engine = createEagerEngine(program);
    const logits = predict(engine);
    const before = engine.read();
    const loss = step(engine);
    const after = engine.read();
    engine.dispose();
    expect(relativeDistance({ logits }, { logits: example.logits })).toBeLessThan(1e-6);
    expect(Math.abs(loss / example.loss - 1)).toBeLessThan(2e-6);
    const { gradients, statistics } = example as {
      gradients: Record<string, number[]>;
      statistics: Record<string, number[]>;
    };
    const trained = Object.keys(before).filter((name) => !(name in statistics));
    for (const name of trained) {
      const gradient = before[name]!.map((w, i) => w - after[name]![i]!);
      if (name in gradients) expect(distance(gradient, gradients[name]!), name).toBeLessThan(2e-5);
      else
        expect(
          gradient.every((slope) => slope === 0),
          name,
        ).toBe(true);
    }
    expect(Object.keys(gradients).every((name) => trained.includes(name))).toBe(true);
    expect(relativeDistance(after, statistics)).toBeLessThan(1e-6);
  });
});

/** ‖a − b‖ over ‖b‖, or over a hundredth where a gradient all but vanishes: BBN's second branch in the first epoch. */
const distance = (a: Float32Array, b: readonly number[]): number => {
  const length = (x: ArrayLike<number>) => Math.hypot(...Array.from(x));
  return length(a.map((value, i) => value - b[i]!)) / Math.max(length(b), 0.01);
};

describeNative('captured = eager', (use) => {
  test.each(cases)('%s', async (_, example) => {
    const { program, step, predict } = await prepare(example);
    const engines = bothEngines(program, use());
    for (let i = 0; i < 2; i++) {
      expect(step(engines.captured)).toBeCloseTo(step(engines.eager), 5);
      expect(relativeDistance(engines.captured.read(), engines.eager.read())).toBeLessThan(2e-6);
      const [captured, eager] = [predict(engines.captured), predict(engines.eager)];
      expect(relativeDistance({ captured }, { captured: eager })).toBeLessThan(2e-5);
    }
    engines.dispose();
  });
});

describe('bbn', () => {
  test.each([
    ['parabolic', [1, 0.9375, 0.75, 0.4375]],
    ['linear', [1, 0.75, 0.5, 0.25]],
    ['cosine', [1, Math.cos(Math.PI / 8), Math.SQRT1_2, Math.sin(Math.PI / 8)]],
    ['equal', [0.5, 0.5, 0.5, 0.5]],
  ] as const)('α by the %s schedule in each of four epochs', (schedule, expected) => {
    expected.forEach((alpha, i) => {
      expect(branchWeight(i + 1, 4, { schedule })).toBeCloseTo(alpha, 12);
    });
  });

  test('pairs every image with one of the second draw, which favours classes as 1/n', () => {
    const composition = compose([bbn()], infoWithCounts([300, 100, 20], { epochs: 4 }));
    const { batch, targets } = mixBatch(composition, Int32Array.from([0, 1, 2, 0, 2, 1]), at(3));
    expect(batch.pair).toEqual(Int32Array.from([3, 4, 5]));
    expect(batch.inputs['bbn/rows']).toEqual(batch.pair);
    expect([...batch.lambda, ...targets.labelWeight]).toEqual(new Array(6).fill(0.75));
    expect([...targets.pairLabels]).toEqual([0, 2, 1]);
    const drawn = composition.draws.bbn!(1).map((weight, c) => weight * [300, 100, 20][c]!);
    [3, 15].forEach((ratio, c) => {
      expect(drawn[c + 1]! / drawn[0]!).toBeCloseTo(ratio, 10);
    });
  });

  test('Remix sees the image of the second draw as partner, and eq. 10 its own α', () => {
    const info = infoWithCounts([300, 100, 20], { epochs: 10 });
    const { batch, targets } = mixBatch(compose([bbn(), remix()], info), Int32Array.from([0, 1, 2, 2, 1, 0]), at(9));
    const alpha = Math.fround(1 - 0.8 ** 2);
    expect([...batch.lambda]).toEqual([alpha, alpha, alpha]);
    // A frequent class that has less than half yields to a rare one; a pair of one class and a rare sample stay.
    expect([...targets.labelWeight]).toEqual([0, alpha, alpha]);
  });

  test('takes its rows from its own draw, wherever in the pool that is', () => {
    const composition = compose([otherDraw, bbn()], infoWithCounts([300, 100, 20]));
    const { batch } = mixBatch(composition, Int32Array.from([0, 1, 2, 1, 1, 1, 0, 2, 2]), at(1));
    expect([...batch.pair, ...batch.inputs['bbn/rows']!]).toEqual([6, 7, 8, 6, 7, 8]);
  });

  test.each([
    ['resnet32', [32, 32, 3], 'stage3/block5/'],
    ['resnet18', [32, 32, 3], 'stage4/block2/'],
    ['resnet50', [64, 64, 3], 'stage4/block3/'],
    ['small-cnn', [8, 8, 3], 'stage3/'],
    ['mlp', [8, 8, 3], 'stage2/'],
  ] as const)('%s: the second branch has the last block and a kernel of its own', (name, shape, block) => {
    const model = createModel(modelOptions.parse({ name }), { classes: 4, imageShape: shape });
    expect(lastBlock(model.weights)).toBe(block);
    const extended = extendModel(model, bbn(), task);
    const added = extended.weights.filter((weight) => weight.name.startsWith('bbn/'));
    expect(added.map((weight) => weight.name.slice(4))).toEqual(
      model.weights.map((weight) => weight.name).filter((w) => w.startsWith(block) || w === 'classifier/kernel'),
    );
    expect(extended.featureSize).toBe(2 * model.featureSize);
  });
});

/** A plugin with a second draw of its own. */
const otherDraw = definePlugin({
  name: 'other',
  options: z.strictObject({}),
  draw: () => () => Float64Array.of(1, 1, 1),
  apply() {},
})();

describe('tau-norm', () => {
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
});

describe('refused or warned of', () => {
  const nameless: Model = { ...tinyModel(), name: 'nameless', weights: [] };

  test.each([bbn(), tauNorm()])('$definition.name on a model without a classifier of that name', async (plugin) => {
    expect(await messageOfError(() => extendModel(nameless, plugin, task))).toBe(
      `[${plugin.definition.name}] expected a model with the weight classifier/kernel, [features, classes]; nameless has none of that name. Name its classifier's weights classifier/kernel and classifier/bias.`,
    );
  });

  test.each([
    [
      lws(),
      [],
      'NOT_INTENDED [lws] backbone and classifier are trained beside the scales. Set model.freeze: [backbone, classifier].',
    ],
    [
      lws(),
      ['backbone'],
      'NOT_INTENDED [lws] classifier is trained beside the scales. Set model.freeze: [backbone, classifier].',
    ],
    [
      lws(),
      ['classifier'],
      'NOT_INTENDED [lws] backbone is trained beside the scales. Set model.freeze: [backbone, classifier].',
    ],
    [lws(), ['backbone', 'classifier'], null],
    [lws(), ['stage1', 'stage2', 'classifier'], null],
    [tauNorm({ tau: 0, bias: 'keep' }), [], 'NO_EFFECT [tau-norm] tau is 0 and the bias is kept.'],
    [tauNorm({ tau: 0 }), [], null],
  ])('%#', (plugin, freeze, warning) => {
    const start = { init: 'first', reset: [], freeze, frozenNorm: 'batch' } as const;
    const info = infoWithCounts([300, 100, 20], { start, head: { kind: 'linear', scale: 1 } });
    expect(warningsOf([plugin], info)).toEqual(warning === null ? [] : [warning]);
  });
});
