import { beforeAll, expect, test } from 'vitest';
import checkpoint from '../../plugins/checkpoint/index.ts';
import gradAccumulation from '../../plugins/grad-accumulation/index.ts';
import swa, { keptShare, normPlace, takenAt } from '../../plugins/swa/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { norm, startFlow } from '../../src/models/layers.ts';
import type { Model, WeightSpec } from '../../src/models/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import { tf } from '../../src/tf.ts';
import { checkpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import type { TrainerOptions } from '../../src/train/trainer.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import { noise } from '../models/reference.ts';
import reference from '../reference/optimisation.json' with { type: 'json' };
import normReference from '../reference/swa.json' with { type: 'json' };
import { describeNative, relativeDistance } from '../step/captured-support.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { smallRun, twoEpochs } from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { describeCaptured, runEager, type State } from '../support/update-steps.ts';

beforeAll(async () => void (await loadBackend()));

const averagesIn = (state: State): State =>
  Object.fromEntries(
    Object.entries(state).flatMap(([name, values]) => (name.startsWith('swa/') ? [[name.slice(4), values]] : [])),
  );

const setup = { steps: 8, stepsPerEpoch: 2 };

describeBackends('steps as in PyTorch (test/reference/optimisation.py)', (use) => {
  beforeAll(use);

  test.each(reference.swa)('$options: weights untouched, their mean predicts', ({ options, ...expected }) => {
    const { state, logits } = runEager([swa({ ...options, normSteps: 0 })], setup);
    expect(relativeDistance(state, expected.state)).toBeLessThan(2e-6);
    expect(relativeDistance(averagesIn(state), expected.average)).toBeLessThan(2e-6);
    expect(relativeDistance({ logits }, { logits: expected.logits })).toBeLessThan(2e-6);
  });
});

/** The network of test/reference/swa.py, with batch norm as all networks have it. */
function normed(): Model {
  const layer = norm('hidden/norm', 5);
  const kernel = (name: string, shape: number[]): WeightSpec => ({
    ...{ name, shape, kind: 'kernel' },
    initial: () => noise(name, sizeOf(shape)),
  });
  const [inner, outer] = [kernel('hidden/kernel', [12, 5]), kernel('classifier/kernel', [5, 3])];
  return {
    name: 'normed',
    stages: ['input'],
    featureSize: 5,
    weights: [inner, ...layer.weights, outer, kernel('classifier/bias', [3])],
    forward(weights, images, pass) {
      const x = pass.atStage('input', images);
      const flow = startFlow(weights, pass);
      const hidden = tf.matMul(x.reshape([-1, 12]), weights['hidden/kernel']!).reshape([-1, 1, 1, 5]);
      const features = layer.apply(hidden, flow).reshape([-1, 5]).relu();
      const logits = tf.matMul(features, weights['classifier/kernel']!).add(weights['classifier/bias']!);
      return { logits, features, statistics: flow.statistics };
    },
  };
}

describeBackends('statistics as of PyTorch’s update_bn (test/reference/swa.py)', (use) => {
  beforeAll(use);

  test.each(normReference.cases)('$options', ({ options, kernel, mean, variance, training, logits: due }) => {
    const { state, logits } = runEager([swa(options)], { steps: 16, stepsPerEpoch: 4, network: normed() });
    const stateOf = (prefix: string) => ({
      mean: state[`${prefix}hidden/norm/mean`]!,
      variance: state[`${prefix}hidden/norm/variance`]!,
    });
    expect(relativeDistance({ kernel: state['swa/hidden/kernel']! }, { kernel })).toBeLessThan(1e-5);
    expect(relativeDistance(stateOf('swa/'), { mean, variance })).toBeLessThan(1e-5);
    expect(relativeDistance({ logits }, { logits: due })).toBeLessThan(1e-5);
    // The weights' own are left alone, and are others.
    expect(relativeDistance(stateOf(''), training)).toBeLessThan(1e-5);
    expect(relativeDistance(training, { mean, variance })).toBeGreaterThan(0.01);
  });
});

describeNative('statistics of the mean', () => {
  test('captured is eager, in replicas too, and a resumed run is the same to the bit', async () => {
    const directory = await temporaryFolder();
    const run = (train: TrainerOptions['train'], more: Partial<TrainerOptions> = {}, plugins: readonly Plugin[] = []) =>
      smallRun({
        model: { name: 'small-cnn', width: 16 },
        ...more,
        plugins: [swa({ start: 1, normSteps: 1 }), ...plugins],
        train: { ...twoEpochs('captured'), epochs: 4, batchSize: 4, ...train },
      });
    for (const replicas of [1, 2]) {
      const [eager, captured] = [await run({ step: 'eager', replicas }), await run({ replicas })];
      expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
      expect(relativeDistance(captured.state, eager.state)).toBeLessThan(1e-5);
    }
    const whole = await run({}, { directory }, [checkpoint({ every: 1, keep: 9 })]);
    const resume = await readCheckpoint(checkpointPath(directory, 3));
    expect((await run({}, { resume })).state).toEqual(whole.state);
    const [anew, averaged] = ['swa/', ''].map((prefix) =>
      Object.entries(whole.state).filter(([name]) => name.startsWith(prefix) && name.endsWith('norm/mean')),
    );
    expect(anew!.length).toBeGreaterThan(0);
    expect(anew!.map(([, values]) => values)).not.toEqual(averaged!.slice(0, anew!.length).map(([, values]) => values));
  });
});

test('batch norm has the steps after that in which weights are taken', () => {
  const places = (normSteps: number, epoch: number) => {
    const moments = { start: 1, every: 2, taken: takenAt(4, normSteps) };
    return [1, 2, 3, 4].map((stepInEpoch) => normPlace({ epoch, stepInEpoch }, moments));
  };
  expect([places(2, 1), places(2, 2), places(2, 3), places(2, 4)]).toEqual([
    [0, 0, 0, 0],
    [0, 0, 1, 2],
    [0, 0, 0, 0],
    [0, 0, 1, 2],
  ]);
  expect([places(0, 2), places(50, 2)]).toEqual([
    [0, 0, 0, 0],
    [0, 1, 2, 3],
  ]);
});

describeCaptured({
  swa: () => [swa({ start: 0, normSteps: 0 })],
  'with statistics of the mean': () => [swa({ start: 0, normSteps: 2 })],
  'with accumulation': () => [swa({ start: 0 }), gradAccumulation()],
});

test('follows the weights until the end of the first epoch that is averaged, then stands between ends', () => {
  const of = (epoch: number, stepInEpoch: number, every = 2) =>
    keptShare({ epoch, stepInEpoch }, { start: 2, every, taken: 3 });
  expect([of(1, 3), of(2, 3), of(3, 1), of(3, 3)]).toEqual([0, 0, 0, 0]);
  expect([of(4, 1), of(4, 3), of(5, 2), of(5, 3), of(7, 3)]).toEqual([1, 1, 1, 1 / 2, 2 / 3]);
  expect([of(3, 3, 1), of(4, 3, 1), of(5, 3, 1), of(6, 1, 1)]).toEqual([0, 1 / 2, 2 / 3, 1]);
});

test('a last step that is no update of grad-accumulation is averaged all the same', () => {
  const [first, second] = [
    runEager([swa({ start: 0, normSteps: 0 }), gradAccumulation({ steps: 3 })], setup),
    runEager([gradAccumulation({ steps: 3 }), swa({ start: 0, normSteps: 0 })], setup),
  ];
  expect(second.state).toEqual(first.state);
  const ends = [1, 3, 5, 7].map((step) => [...(first.states[step]!['classifier/bias'] as Float32Array)]);
  const mean = ends[0]!.map((_, i) => ends.reduce((sum, values) => sum + values[i]!, 0) / 4);
  expect(relativeDistance({ mean: first.state['swa/classifier/bias']! }, { mean })).toBeLessThan(1e-6);
});

test('a resumed run is the same to the bit', async () => {
  const directory = await temporaryFolder();
  const train = { epochs: 4, batchSize: 8, step: 'eager' } as const;
  const whole = await smallRun({ plugins: [swa({ start: 1 }), checkpoint({ every: 1, keep: 9 })], train, directory });
  const resume = await readCheckpoint(checkpointPath(directory, 3));
  expect((await smallRun({ plugins: [swa({ start: 1 })], train, resume })).state).toEqual(whole.state);
});

test('an average of one epoch is warned of', () => {
  const info = infoWithCounts([10, 6], { epochs: 8 });
  expect(warningsOf([swa()], info)).toEqual([]);
  expect(warningsOf([swa({ start: 7 })], info)).toEqual([
    'NO_EFFECT [swa] one epoch at most is averaged: start is 7, every 1, of 8 epochs.',
  ]);
});
