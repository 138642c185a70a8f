import { describe, expect, test } from 'vitest';
import drw from '../../plugins/drw/index.ts';
import experts from '../../plugins/experts/index.ts';
import { evenTaus, expertOffsets, inversePrior, temperatures } from '../../plugins/experts/losses.ts';
import { sharedStage, withExperts } from '../../plugins/experts/model.ts';
import labelSmoothing from '../../plugins/label-smoothing/index.ts';
import ldam from '../../plugins/ldam/index.ts';
import logitAdjustment from '../../plugins/logit-adjustment/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import tauNorm from '../../plugins/tau-norm/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { extendModel } from '../../src/compose/declared.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import { randomStream } from '../../src/random.ts';
import { tf } from '../../src/tf.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { at, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { describeTwoStage } from '../support/two-stage.ts';

describeTwoStage('experts');

const counts = [300, 100, 20];
const task = { classes: 4, imageShape: [8, 8, 3] as [number, number, number] };
const modelOf = (name: string, shape = task.imageShape) =>
  createModel(modelOptions.parse({ name }), { classes: 4, imageShape: shape });
const usual = { method: 'balpoe', count: 3, inverseTau: 2 } as const;

describe('offsets', () => {
  const logs = counts.map((n) => Math.log(n / 420));

  test('BalPoE: τ from 0 to 2, their mean 1', () => {
    expect([evenTaus(2), evenTaus(3), evenTaus(5)]).toEqual([
      [0, 2],
      [0, 1, 2],
      [0, 0.5, 1, 1.5, 2],
    ]);
    const [first, second, third] = expertOffsets(counts, usual);
    expect(first).toBeNull();
    expect([...second!]).toEqual(logs);
    expect([...third!]).toEqual(logs.map((log) => 2 * log));
  });

  test('SADE: none, the prior, and beyond the uniform one by the prior in reverse', () => {
    const [first, second, third] = expertOffsets(counts, { ...usual, method: 'sade' });
    expect(first).toBeNull();
    expect([...second!]).toEqual(logs);
    [logs[0]! - 2 * logs[2]!, logs[1]! - 2 * logs[1]!, logs[2]! - 2 * logs[0]!].forEach((expected, c) => {
      expect(third![c]).toBeCloseTo(expected, 12);
    });
  });

  test('the prior in reverse goes by rank, wherever a class stands', () => {
    expect([...inversePrior(Float64Array.of(0.2, 0.5, 0.05, 0.25))]).toEqual([0.25, 0.05, 0.5, 0.2]);
  });

  test('RIDE: one temperature, later a larger one for frequent classes, at most 1', () => {
    expect([...temperatures(counts, false)]).toEqual([1, 1, 1]);
    const raw = counts.map((n) => (0.05 * 3 * n) / 420 + 0.95);
    [...temperatures(counts, true)].forEach((value, c) => {
      expect(value).toBeCloseTo(raw[c]! / raw[0]!, 6);
    });
  });

  test('RIDE’s temperatures change after the epoch that they are deferred to', () => {
    const composition = compose([experts({ method: 'ride', deferUntil: 0.5 })], infoWithCounts(counts, { epochs: 4 }));
    const input = (epoch: number) =>
      mixBatch(composition, Int32Array.of(0, 1, 2), at(epoch)).batch.inputs['experts/temperature']![2]!;
    expect([input(1), input(2)]).toEqual([1, 1]);
    expect(input(3)).toBeLessThan(1);
    expect(input(4)).toBe(input(3));
  });
});

describe('the model', () => {
  test.each([
    ['resnet32', [32, 32, 3], 'stage1'],
    ['resnet18-cifar', [32, 32, 3], 'stage2'],
    ['small-cnn', [8, 8, 3], 'input'],
    ['mlp', [8, 8, 3], 'input'],
  ] as const)('%s shares the stages up to %s', (name, shape, stage) => {
    expect(sharedStage(modelOf(name, [...shape]))).toBe(stage);
  });

  test('each has weights of its own behind the shared stage, from a draw of its own', () => {
    const model = modelOf('resnet32', [32, 32, 3]);
    const extended = extendModel(model, experts(), { classes: 4, imageShape: [32, 32, 3] });
    const own = model.weights.map(({ name }) => name).filter((name) => !/^(stem|stage1)\//.test(name));
    const added = extended.weights.slice(model.weights.length);
    expect(added.map(({ name }) => name)).toEqual([2, 3].flatMap((k) => own.map((name) => `experts/${k}/${name}`)));
    expect(extended.featureSize).toBe(3 * 64);
    const draw = (name: string) =>
      extended.weights.find((weight) => weight.name === name)!.initial(randomStream(0, 'init', name));
    const kernels = ['', 'experts/2/', 'experts/3/'].map((prefix) => String(draw(`${prefix}classifier/kernel`)));
    expect(new Set(kernels).size).toBe(3);
  });

  test('heads alone leave the features as they are; the trunk runs once', () => {
    const model = modelOf('small-cnn');
    let trunks = 0;
    const spied = {
      ...model,
      forward: ((weights, images, pass) => {
        if (!pass.from) trunks++;
        return model.forward(weights, images, pass);
      }) satisfies typeof model.forward,
    };
    const extended = withExperts(spied, { count: 3, shared: 'stage3' });
    expect(extended.featureSize).toBe(model.featureSize);
    tf.tidy(() => {
      const weights = Object.fromEntries(
        extended.weights.map(({ name, shape, initial }) => [name, tf.tensor(initial(randomStream(name)), [...shape])]),
      );
      const pass = { training: false, inputs: {}, variants: {}, atStage: (_: string, x: tf.Tensor) => x };
      const { logits, extras } = extended.forward(weights, tf.ones([2, 8, 8, 3]), pass);
      const mean = ['1', '2', '3']
        .map((k) => extras![`experts/${k}`]!)
        .reduce((a, b) => a.add(b))
        .div(3);
      expect([...logits.dataSync()]).toEqual([...mean.dataSync()]);
      expect(trunks).toBe(1);
    });
  });

  test('statistics that are fixed stay under each expert’s own names', () => {
    const seen: string[][] = [];
    const model = modelOf('small-cnn');
    const spied = {
      ...model,
      forward: ((weights, images, pass) => {
        seen.push([...(pass.fixed ?? [])]);
        return model.forward(weights, images, pass);
      }) satisfies typeof model.forward,
    };
    const extended = withExperts(spied, { count: 2, shared: 'stage1' });
    tf.tidy(() => {
      const weights = Object.fromEntries(
        extended.weights.map(({ name, shape, initial }) => [name, tf.tensor(initial(randomStream(name)), [...shape])]),
      );
      const fixed = new Set(['experts/2/stage2/conv1/norm/mean', 'stage1/conv1/norm/mean']);
      const pass = { training: true, inputs: {}, variants: {}, atStage: (_: string, x: tf.Tensor) => x, fixed };
      const { statistics } = extended.forward(weights, tf.ones([2, 8, 8, 3]), pass);
      expect(seen[1]).toEqual(['stage1/conv1/norm/mean', 'stage2/conv1/norm/mean']);
      expect(Object.keys(statistics).sort()).toEqual(['stage2/conv1/norm/mean', 'stage2/conv1/norm/variance']);
    });
  });
});

describe('what is refused and warned of', () => {
  const refused = (options: object) => messageOfError(() => compose([experts(options)], infoWithCounts(counts)));

  test('numbers of experts', async () => {
    expect(await refused({ method: 'sade', count: 4 })).toBe('[experts] count: expected 3 experts for sade; got 4.');
    expect(await refused({ tau: [0, 2] })).toBe(
      '[experts] tau: expected 3 numbers, one for each expert (count); got 2.',
    );
  });

  test('a stage that there is not, and a model that does not say where its weights are', async () => {
    const model = modelOf('small-cnn');
    expect(await messageOfError(() => extendModel(model, experts({ shared: 'stage7' }), task))).toContain(
      'got "stage7"',
    );
    const { weights, ...tiny } = tinyModel();
    const nameless = { ...tiny, weights: weights.map(({ stage: _, ...weight }) => weight) };
    expect(await messageOfError(() => extendModel(nameless, experts(), task))).toContain(
      '"hidden/kernel" of tiny does not',
    );
  });

  test('another head, and a second correction of the prior', async () => {
    expect(await messageOfError(() => compose([experts(), tauNorm()], infoWithCounts(counts)))).toContain('head');
    const info = infoWithCounts(counts);
    expect(warningsOf([experts(), logitAdjustment()], info)).toHaveLength(1);
    expect(warningsOf([experts({ method: 'ride' }), drw({ deferUntil: 1 })], info)).toEqual([]);
    expect(warningsOf([experts({ tau: [0, 1, 1] })], info)[0]).toContain('the mean of tau is 0.666');
    expect(warningsOf([experts({ method: 'sade', tau: [0, 1, 2] })], info)[0]).toBe(
      'NO_EFFECT [experts] tau is of balpoe; sade has none.',
    );
  });
});

describeNative('composed', () => {
  const train = async (
    step: 'eager' | 'captured',
    plugins: Parameters<typeof createTrainer>[0]['plugins'],
    replicas?: number,
  ) => {
    const { epochs, snapshot } = await createTrainer({
      data: squares([16, 8, 4, 4]),
      model: { name: 'small-cnn', width: 4, head: 'cosine', scale: 30 },
      plugins: plugins!,
      train: {
        epochs: 2,
        batchSize: 16,
        step,
        ...(replicas && { replicas }),
        optimizer: { name: 'sgd', learningRate: 0.01 },
      },
    }).run();
    const state = Object.values(snapshot!.state).map(({ values }) => values.reduce((a, b) => a + Math.abs(b), 0));
    return [
      ...epochs.map((epoch) => epoch.train.loss),
      ...epochs.map((epoch) => epoch.train.penalties.experts ?? 0),
      ...state,
    ];
  };

  test.each([
    ['RIDE with LDAM-DRW', () => [experts({ method: 'ride', deferUntil: 1 }), ldam(), drw({ deferUntil: 1 })]],
    ['BalPoE with Remix and smoothing', () => [experts({ shared: 'stage2' }), mixup(), remix(), labelSmoothing()]],
    ['SADE, heads alone', () => [experts({ method: 'sade', shared: 'stage3' })]],
  ])('%s: captured as eager, in replicas too', async (_, plugins) => {
    for (const replicas of [undefined, 2]) {
      const eager = await train('eager', plugins(), replicas);
      const captured = await train('captured', plugins(), replicas);
      captured.forEach((value, i) => {
        expect(Math.abs(value - eager[i]!)).toBeLessThan(1e-4 * Math.max(1, Math.abs(eager[i]!)));
      });
    }
  });
});
