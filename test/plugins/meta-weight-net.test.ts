import { beforeAll, expect, test } from 'vitest';
import bcl from '../../plugins/bcl/index.ts';
import checkpoint from '../../plugins/checkpoint/index.ts';
import drw from '../../plugins/drw/index.ts';
import ema from '../../plugins/ema/index.ts';
import gradAccumulation from '../../plugins/grad-accumulation/index.ts';
import metaWeightNet, { thetaGradients, thetaOf, weightOf } from '../../plugins/meta-weight-net/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import sam from '../../plugins/sam/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import type { Plugin } from '../../src/plugin.ts';
import { tf } from '../../src/tf.ts';
import { checkpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import meta from '../reference/meta.json' with { type: 'json' };
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { smallRun } from '../support/small-run.ts';
import { squares } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { describeTwoStage } from '../support/two-stage.ts';

beforeAll(async () => void (await loadBackend()));

// Its state after the step has 0.1 of Θ's gradient in it, which PyTorch has through the virtual step.
describeTwoStage('meta-weight-net');

const small = { hidden: 6, learningRate: 0.02 };
type Changes = Parameters<typeof smallRun>[0];
const train = (plugins: Plugin[], step: 'eager' | 'captured' = 'eager', changes: Changes = {}) =>
  smallRun({
    train: { epochs: 3, batchSize: 8, step, optimizer: { name: 'sgd', learningRate: 0.05 } },
    ...changes,
    plugins,
  });

test('V is one hidden layer of ReLUs and a sigmoid', () => {
  const theta = {
    'hidden/kernel': tf.tensor2d([[2, -1]]),
    'hidden/bias': tf.tensor1d([-1, 3]),
    'out/kernel': tf.tensor2d([[0.5], [-1]]),
    'out/bias': tf.tensor1d([0.25]),
  };
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  // L = 1: hidden 1 and 2; L = 4: 7 and 0, for 3 − 4 is below 0.
  const found = weightOf(tf.tensor1d([1, 4]), theta).dataSync();
  expect(found[0]).toBeCloseTo(sigmoid(0.5 - 2 + 0.25), 6);
  expect(found[1]).toBeCloseTo(sigmoid(3.5 + 0.25), 6);
});

test('rows whose loss falls with that of the meta rows gain weight, the others lose it', () => {
  const names = Object.keys(meta.weights).filter((name) => name.startsWith('meta-weight-net/'));
  const shapes: Record<string, number[]> = { 'hidden/kernel': [1, 6], 'out/kernel': [6, 1], 'adamw/steps': [] };
  const weights = Object.fromEntries(
    names.map((name) => {
      const values = (meta.weights as Record<string, number | number[]>)[name]!;
      const flat = [values].flat();
      const shape = shapes[name.replace(/^meta-weight-net\/([mv]\/)?/, '')] ?? [flat.length];
      return [name, /\/(m|v|adamw)\//.test(name) ? tf.zeros(shape) : tf.tensor(flat, shape)];
    }),
  );
  const losses = tf.tensor1d([0.3, 2]);
  const state = thetaOf(6);
  const after = (alignment: number[]) => {
    const step = { losses, alignment: tf.tensor1d(alignment), rate: tf.scalar(1) };
    const next = state.next(weights, thetaGradients(state.of(weights), step, 0), 0.01);
    return weightOf(losses, state.of(next)).dataSync();
  };
  const before = weightOf(losses, state.of(weights)).dataSync();
  expect(after([0.5, 0])[0]!).toBeGreaterThan(before[0]!);
  expect(after([-0.5, 0])[0]!).toBeLessThan(before[0]!);
  expect(after([0, 0.5])[1]!).toBeGreaterThan(before[1]!);
});

test('classes of the meta rows are drawn alike, from either split', async () => {
  const { groups } = compose([metaWeightNet()], infoWithCounts([100, 10, 1]));
  const group = groups['meta-weight-net/meta']!;
  if (group.view) throw new Error('a view');
  const labels = Int32Array.from([...new Array<number>(6).fill(0), 1, 1, 2]);
  const weights = group.weights(1, { indices: labels.map((_, i) => i), labels });
  expect([6, 2, 1].map((count, c) => (count * weights[c]!) / weights[2]!)).toEqual([1, 1, 1]);
  const data = { ...squares([10, 5, 3, 2]), validation: squares().test };
  const { results } = await train([metaWeightNet({ ...small, from: 'validation' })], 'eager', { data });
  for (const { batch } of results) expect(Math.max(...batch.indices.slice(batch.size))).toBeLessThan(20);
  expect(new Set(results.flatMap(({ batch }) => [...batch.labels.slice(batch.size)]))).toEqual(new Set([0, 1, 2, 3]));
});

test('what is refused and warned of', async () => {
  const info = infoWithCounts([300, 100, 20]);
  expect(await messageOfError(() => compose([metaWeightNet(), bcl()], info))).toContain('branches');
  expect(warningsOf([metaWeightNet(), drw()], info)[0]).toContain('NOT_INTENDED');
  const replicas = () =>
    train([metaWeightNet(small)], 'eager', { train: { epochs: 1, batchSize: 8, replicas: 2, dropLast: true } });
  expect(await messageOfError(replicas)).toContain('meta-weight-net/hidden/kernel');
  const { hooks } = compose([metaWeightNet()], info);
  const half = () => hooks.onTrainBegin.promise({ engine: { precision: 'bf16' } } as never);
  expect(await messageOfError(half)).toContain(
    'expected fp32, since small differences of losses are measured; got bf16.',
  );
  const without = () => train([metaWeightNet({ from: 'validation' })]);
  expect(await messageOfError(without)).toContain('validation');
});

test('a resumed run is the same to the bit, and ema averages no state', async () => {
  const directory = await temporaryFolder();
  const plugins = () => [metaWeightNet(small), ema({ decay: 0.5 })];
  const whole = await train([...plugins(), checkpoint({ every: 1, keep: 9 })], 'eager', { directory });
  expect(Object.keys(whole.state).filter((name) => /^ema\/meta-weight-net/.test(name))).toEqual([]);
  const resume = await readCheckpoint(checkpointPath(directory, 2));
  expect((await train(plugins(), 'eager', { resume })).state).toEqual(whole.state);
});

describeNative('in a run', () => {
  test('rows with wrong labels come to weigh less: V falls with the loss', async () => {
    const data = { ...squares([16, 16, 16, 16]), validation: squares().test };
    const labels = data.train.split.labels.map((label, i) => (i % 5 < 2 ? (label + 1 + (i % 3)) % 4 : label));
    const noisy = { ...data, train: { ...data.train, split: { ...data.train.split, labels } } };
    const plugins = [metaWeightNet({ from: 'validation', hidden: 20, learningRate: 0.005 })];
    const { state, epochs } = await train(plugins, 'captured', {
      data: noisy,
      train: { epochs: 60, batchSize: 16, step: 'captured', optimizer: { name: 'sgd', learningRate: 0.02 } },
    });
    const shapes = { 'hidden/kernel': [1, 20], 'hidden/bias': [20], 'out/kernel': [20, 1], 'out/bias': [1] };
    const theta = Object.entries(shapes).map(([part, shape]) => {
      return [part, tf.tensor(state[`meta-weight-net/${part}`]!, shape)];
    });
    const [low, high] = weightOf(tf.tensor1d([0.2, 4]), Object.fromEntries(theta)).dataSync();
    expect(high!).toBeLessThan(low! / 2);
    const { figures } = epochs.at(-1)!.train;
    expect(figures!['meta-weight-net/loss']!).toBeLessThan(epochs[0]!.train.figures!['meta-weight-net/loss']!);
    expect(figures!['meta-weight-net/weight']!).toBeLessThan(1);
  });

  test.each<[string, () => Plugin[]]>([
    ['alone', () => [metaWeightNet(small)]],
    ['mixed and relabelled', () => [mixup(), remix(), metaWeightNet(small)]],
    ['sam around it, before it in the config', () => [sam({ rho: 0.1 }), metaWeightNet(small)]],
    ['gradients of two steps', () => [metaWeightNet(small), gradAccumulation({ steps: 2 })]],
  ])('captured is eager to the bit: %s', async (_, plugins) => {
    const [eager, captured] = [await train(plugins()), await train(plugins(), 'captured')];
    expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
    expect(captured.losses).toEqual(eager.losses);
    expect(captured.state).toEqual(eager.state);
  });
});

test('sam climbs on the weighed loss, wherever it stands in the config', async () => {
  const first = await train([sam({ rho: 0.1 }), metaWeightNet(small)]);
  const last = await train([metaWeightNet(small), sam({ rho: 0.1 })]);
  const alone = await train([metaWeightNet(small)]);
  expect(first.state).toEqual(last.state);
  expect(first.state['classifier/kernel']).not.toEqual(alone.state['classifier/kernel']);
});
