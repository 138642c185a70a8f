import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { balancedContrastiveLoss } from '../../plugins/bcl/contrastive.ts';
import bcl from '../../plugins/bcl/index.ts';
import { project } from '../../plugins/bcl/projection.ts';
import checkpoint from '../../plugins/checkpoint/index.ts';
import logitAdjustment from '../../plugins/logit-adjustment/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import supcon from '../../plugins/supcon/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { tf } from '../../src/tf.ts';
import { checkpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import type { TrainerOptions } from '../../src/train/trainer.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { smallRun } from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary.ts';

interface Case {
  labels: number[];
  temperature: number;
  x: number[][];
  p: number[][];
  balanced: { loss: number; dx: number[][]; dp: number[][] };
}
interface Reference {
  cases: Case[];
  single: Case;
  head: { weights: Record<string, number[]>; x: number[][]; out: number[][]; probe: number[][]; dx: number[][] };
}

const reference: Reference = JSON.parse(
  readFileSync(new URL('../reference/contrastive.json', import.meta.url), 'utf8'),
);

beforeAll(async () => void (await loadBackend()));

const unit = (x: tf.Tensor): tf.Tensor => x.div(x.square().sum(1, true).sqrt());
const distance = (found: tf.Tensor, expected: number[][]): number => {
  const numbers = expected.flat();
  const off = Math.hypot(...Array.from(found.dataSync(), (value, i) => value - numbers[i]!));
  return off / Math.hypot(...numbers);
};

describe('as PyTorch computes it pair by pair, with gradients', () => {
  const all = [...reference.cases, reference.single].map((one, i): [number, Case] => [i, one]);

  test.each(all)('the balanced loss, case %i', (_, { labels, temperature, x, p, balanced }) => {
    const loss = (features: tf.Tensor, prototypes: tf.Tensor): tf.Tensor =>
      balancedContrastiveLoss(unit(features), tf.tensor1d(labels, 'int32'), unit(prototypes), temperature);
    const found = tf.valueAndGrads(loss as never)([tf.tensor(x), tf.tensor(p)]);
    expect(found.value.dataSync()[0]! / balanced.loss).toBeCloseTo(1, 5);
    expect(distance(found.grads[0]!, balanced.dx)).toBeLessThan(1e-5);
    expect(distance(found.grads[1]!, balanced.dp)).toBeLessThan(1e-5);
  });

  test('the projection', () => {
    const { weights, x, out, probe, dx } = reference.head;
    const named = Object.fromEntries(Object.entries(weights).map(([name, values]) => [`a/${name}`, tf.tensor(values)]));
    expect(distance(project('a', tf.tensor(x), named), out)).toBeLessThan(1e-6);
    const weighed = (input: tf.Tensor): tf.Tensor => project('a', input, named).mul(tf.tensor(probe)).sum();
    expect(distance(tf.grad(weighed as never)(tf.tensor(x)), dx)).toBeLessThan(1e-5);
  });
});

async function train(plugins: TrainerOptions['plugins'] & object, changes: Partial<TrainerOptions> = {}) {
  const { epochs, state, mode } = await smallRun({
    model: { name: 'small-cnn', head: 'cosine' },
    train: { epochs: 3, batchSize: 8, step: 'eager', optimizer: { name: 'sgd', learningRate: 0.05 } },
    ...changes,
    plugins,
  });
  return {
    state,
    mode,
    penalties: epochs.map(({ train: { penalties } }) => penalties),
    losses: epochs.map((epoch) => epoch.train.loss),
  };
}

const small = { hidden: 8, dimension: 4 };
const jitter = [{ name: 'flip' }, { name: 'color-jitter' }];

describeNative('in a run', () => {
  test.each<[string, () => TrainerOptions['plugins'] & object]>([
    ['bcl', () => [logitAdjustment(), bcl({ ...small, augment: jitter })]],
    ['supcon', () => [supcon(small)]],
    ['bcl, with mixing and relabelling', () => [mixup(), remix(), bcl(small)]],
  ])('captured is eager: %s', async (_, plugins) => {
    const run = (step: 'eager' | 'captured') =>
      train(plugins(), { train: { epochs: 2, batchSize: 8, step, optimizer: { name: 'sgd', learningRate: 0.05 } } });
    const [eager, captured] = [await run('eager'), await run('captured')];
    expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
    expect(captured.losses).toEqual(eager.losses);
    expect(captured.penalties).toEqual(eager.penalties);
    expect(captured.state).toEqual(eager.state);
  });
});

test('the loss falls, and trains the projections; a resumed run is the same to the bit', async () => {
  const directory = await temporaryFolder();
  const plugins = () => [logitAdjustment(), bcl({ ...small, weight: 1 })];
  const begun = await train(plugins(), { train: { epochs: 1, batchSize: 8, step: 'eager' } });
  const whole = await train([...plugins(), checkpoint({ every: 1, keep: 9 })], { directory });
  expect(whole.penalties[2]!.bcl).toBeLessThan(whole.penalties[0]!.bcl!);
  for (const part of ['head', 'centre'])
    expect(whole.state[`bcl/${part}/hidden`]).not.toEqual(begun.state[`bcl/${part}/hidden`]);
  const resume = await readCheckpoint(checkpointPath(directory, 2));
  expect((await train(plugins(), { resume })).state).toEqual(whole.state);
});

test('a model without a classifier of vectors has no prototypes', async () => {
  const { openModel } = await import('../../src/models/open.ts');
  const inner = await openModel(
    { name: 'mlp' },
    { classes: 4, imageShape: [8, 8, 3], mean: [0, 0, 0], std: [1, 1, 1] },
  );
  const renamed = {
    ...inner,
    weights: inner.weights.map((weight) =>
      weight.name === 'classifier/kernel' ? { ...weight, name: 'classifier/other' } : weight,
    ),
  };
  expect(await messageOfError(() => train([bcl(small)], { model: renamed }))).toMatch(/^\[?bcl/);
});
