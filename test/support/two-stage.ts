import { beforeAll, expect, test } from 'vitest';
import { registry } from '../../plugins/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { extendModel } from '../../src/compose/declared.ts';
import { convolutionNormRelu } from '../../src/models/layers.ts';
import { network } from '../../src/models/network.ts';
import { frozenWeights } from '../../src/models/transfer.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import type { Engine } from '../../src/step/types.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import branches from '../reference/branches.json' with { type: 'json' };
import meta from '../reference/meta.json' with { type: 'json' };
import twoStage from '../reference/two-stage.json' with { type: 'json' };
import { bothEngines, describeNative, relativeDistance } from '../step/captured-support.ts';
import { at, infoWithCounts, mixBatch } from './plugins.ts';

type Reference = Omit<typeof twoStage, 'cases' | 'weights'> & { cases: Case[]; weights: Record<string, number[]> };

/** One step of a method in a script. */
interface Case {
  name: string;
  plugin: string | null;
  options: object;
  freeze: string[];
  frozenNorm: string;
  epoch: number;
  weighted: boolean;
  /** In the place of what the host draws: λ of all rows, and inputs. */
  lambda?: number;
  inputs?: Record<string, number[]>;
  /** What `prepare` gave. */
  prepared?: object;
  loss: number;
  penalty?: number;
  logits: number[];
  gradients: Record<string, number[]>;
  statistics: Record<string, number[]>;
}

const references = [twoStage, branches, meta] as unknown as Reference[];

const SIZE = 5;
const imageShape: [number, number, number] = [6, 6, 2];
const task = { classes: 3, imageShape };
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
async function prepare(reference: Reference, example: Case) {
  const { plugin, options, freeze, frozenNorm, epoch, weighted } = example;
  const prepared = example.prepared && { prepared: { value: example.prepared, pins: {}, places: {} } };
  const plugins = plugin === null ? [] : [{ ...(await registry[plugin]!()).default(options as never), ...prepared }];
  const model = plugins.reduce((before, one) => extendModel(before, one, task), base);
  const start = { init: 'first', reset: [], freeze, frozenNorm: frozenNorm as 'batch' | 'running' };
  const { classCounts, mean, std, epochs, images, labels, classWeights } = reference;
  const info = infoWithCounts(classCounts, {
    imageShape,
    mean,
    std,
    epochs,
    start,
    head: model.head!,
    featureSize: model.featureSize,
  });
  const composition = compose(plugins, info);
  const pool = SIZE * (1 + Object.keys(composition.groups).length);
  const program = createStepProgram(model, composition, {
    seed: 0,
    imageShape,
    mean,
    std,
    batchSizes: [SIZE],
    evaluateBatchSize: SIZE,
    optimizer: createOptimizer({ name: 'sgd', learningRate: 1, momentum: 0, nesterov: false, weightDecay: 0 }),
    initial: Object.fromEntries(model.weights.map(({ name }) => [name, Float32Array.from(reference.weights[name]!)])),
    ...frozenWeights({ base, model }, start),
  });
  const { batch, targets } = mixBatch(composition, Int32Array.from(labels.slice(0, pool)), at(epoch));
  for (const [name, values] of Object.entries(example.inputs ?? {})) batch.inputs[name]!.set(values);
  if (example.lambda !== undefined) for (const of of [batch.lambda, targets.labelWeight]) of.fill(example.lambda);
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
  let penalty = 0;
  const evaluated = { images: pixels.slice(0, (SIZE * images.length) / labels.length) };
  return {
    program,
    batch,
    step(engine: Engine) {
      const outputs = engine.run(train, feeds);
      penalty = outputs[`penalty/${plugin}`]?.[0] ?? 0;
      return outputs.loss![0]!;
    },
    penalty: () => penalty,
    predict: (engine: Engine) => engine.run(signatureFor(program, 'predict', {}), evaluated).logits as Float32Array,
  };
}

/** ‖a − b‖ over ‖b‖, or over a hundredth where a gradient all but vanishes: BBN's second branch in the first epoch. */
const distance = (a: Float32Array, b: readonly number[]): number => {
  const length = (x: ArrayLike<number>) => Math.hypot(...Array.from(x));
  return length(a.map((value, i) => value - b[i]!)) / Math.max(length(b), 0.01);
};

/**
 * Tests of the cases of test/reference/two-stage.py, branches.py and meta.py that have a plugin, or none (classifier re-training): one step and a
 * prediction against PyTorch, captured as eager.
 */
export function describeTwoStage(plugin: string | null): void {
  const cases = references.flatMap((reference) =>
    reference.cases
      .filter((example) => example.plugin === plugin)
      .map((example) => [example.name, example, reference] as const),
  );
  if (cases.length === 0) throw new Error(`test/reference has no step of ${plugin}`);

  describeBackends('one step against PyTorch (test/reference/two-stage.py, branches.py, meta.py)', (use) => {
    beforeAll(use);

    test.each(cases)('%s: loss, gradients, running statistics, prediction', async (_, example, reference) => {
      const { program, step, penalty, predict } = await prepare(reference, example);
      const engine = createEagerEngine(program);
      const logits = predict(engine);
      const before = engine.read();
      const loss = step(engine);
      const after = engine.read();
      engine.dispose();
      expect(relativeDistance({ logits }, { logits: example.logits })).toBeLessThan(1e-6);
      expect(Math.abs(loss / example.loss - 1)).toBeLessThan(2e-6);
      if (example.penalty !== undefined) expect(penalty()).toBeCloseTo(example.penalty, 5);
      const { gradients, statistics } = example;
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

  describeNative('captured = eager', (use) => {
    test.each(cases)('%s', async (_, example, reference) => {
      const { program, step, predict } = await prepare(reference, example);
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
}
