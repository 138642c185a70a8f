import { readFileSync } from 'node:fs';
import { cp, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import balancedSoftmax from '../../plugins/balanced-softmax/index.ts';
import distill, { distillation, taught, withTeacher } from '../../plugins/distill/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { definePlugin, type Plugin } from '../../src/plugin.ts';
import { plainLoss } from '../../src/step/loss.ts';
import { tf } from '../../src/tf.ts';
import { readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { preparePlugin } from '../../src/train/prepared.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { smallRun } from '../support/small-run.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';

interface Case {
  options: { temperature: number; power: number; alpha: number };
  student: number[][];
  teacher: number[][];
  labels: number[];
  counts: number[];
  divergence: number[];
  loss: number;
  gradient: number[][];
}
const { cases }: { cases: Case[] } = JSON.parse(
  readFileSync(new URL('../reference/distill.json', import.meta.url), 'utf8'),
);
const folder = fileURLToPath(new URL('teacher', import.meta.url));
const teacher = join(folder, 'checkpoints/epoch-0001.safetensors');

beforeAll(async () => void (await loadBackend()));

test.each(cases)(
  'loss and gradient are PyTorch’s, $options',
  ({ options, student, teacher, labels, counts, ...expected }) => {
    const target = tf.tensor2d(teacher);
    const rows = distillation(tf.tensor2d(student), target, options).dataSync();
    for (const [i, value] of expected.divergence.entries()) expect(rows[i]! / value).toBeCloseTo(1, 4);
    const { scored, terms, termLoss } = taught(plainLoss(), options);
    const priors = tf.tensor1d(counts).log();
    const y = tf.tensor1d(labels, 'int32');
    const pass = { training: true, inputs: {}, variants: {}, atStage: (_: string, x: tf.Tensor) => x };
    const { value, grad } = tf.valueAndGrad(((logits: tf.Tensor) => {
      const outputs = { logits, features: logits, statistics: {}, extras: { 'distill/teacher': target } };
      const part = scored.logits!(outputs, pass);
      const labelled = termLoss(part.logits.add(priors), y, pass).mul(part.factor ?? 1);
      return labelled.add(terms.distill!(outputs, y, pass)).mean();
    }) as never)(tf.tensor2d(student));
    expect(value.dataSync()[0]! / expected.loss).toBeCloseTo(1, 5);
    const numbers = expected.gradient.flat();
    const off = Math.hypot(...Array.from(grad.dataSync(), (one, i) => one - numbers[i]!));
    expect(off / Math.hypot(...numbers)).toBeLessThan(1e-5);
  },
);

const data = () => squares([10, 5, 3, 2]);
const run = (plugins: Plugin[], step: 'eager' | 'captured' = 'eager', changes = {}) =>
  smallRun({ data: data(), train: { epochs: 3, batchSize: 8, step }, plugins, ...changes });

describeNative('a run with a teacher', () => {
  test.each<[string, () => Plugin[]]>([
    ['DiVE', () => [balancedSoftmax(), distill({ teacher, power: 0.5 })]],
    ['mixed and relabelled', () => [mixup(), remix(), distill({ teacher })]],
  ])('captured is eager to the bit: %s', async (_, plugins) => {
    const [eager, captured] = [await run(plugins()), await run(plugins(), 'captured')];
    expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
    expect(captured.losses).toEqual(eager.losses);
    expect(captured.state).toEqual(eager.state);
  });
});

test('the teacher is in the state, as it was, and is no parameter', async () => {
  const { state, epochs } = await run([distill({ teacher })]);
  const { state: given, weights } = await readCheckpoint(teacher);
  for (const weight of weights) expect(state[`distill/${weight}`]).toEqual([...given[weight]!.values]);
  expect(epochs.at(-1)!.train.figures!.distill).toBeGreaterThan(0);
});

test('what is learnt is what the teacher says: with alpha 1 the divergence falls, whatever the labels', async () => {
  const { epochs } = await run([distill({ teacher, alpha: 1 })], 'eager', {
    train: { epochs: 30, batchSize: 8, step: 'eager', optimizer: { name: 'sgd', learningRate: 0.02 } },
  });
  const shares = epochs.map(({ train }) => train.figures!.distill!);
  expect(shares.at(-1)!).toBeLessThan(shares[0]! / 3);
  expect(epochs.at(-1)!.train.loss).toBeCloseTo(shares.at(-1)!, 5);
});

test('a resumed run needs no teacher', async () => {
  const moved = join(await temporaryFolder(), 'run');
  await cp(folder, moved, { recursive: true });
  const plugin = distill({ teacher: join(moved, 'checkpoints/epoch-0001.safetensors') });
  const whole = await run([plugin], 'eager', { train: { epochs: 4, batchSize: 8, step: 'eager' } });
  const { prepared } = await preparePlugin(plugin, { directory: '.' });
  const half = await run([plugin], 'eager', { train: { epochs: 2, batchSize: 8, step: 'eager' } });
  await rename(moved, `${moved}-away`);
  const resumed = await run([{ ...plugin, prepared: prepared! }], 'eager', {
    train: { epochs: 4, batchSize: 8, step: 'eager' },
    resume: half.snapshot,
  });
  expect(resumed.state).toEqual(whole.state);
});

/** Brings the teacher's logits to the host. */
const peek = definePlugin({
  name: 'peek',
  options: z.strictObject({}),
  apply: ({ hooks }) =>
    hooks.buildLoss.tap('peek', (loss) => ({
      ...loss,
      perSample: { ...loss.perSample, 'peek/teacher': ({ extras }) => extras!['distill/teacher']! },
    })),
});

test('images are normalised as the teacher’s were, whatever the run’s statistics', async () => {
  const given = data();
  const logitsWith = async (mean: number[], std: number[]) => {
    const { results } = await run([distill({ teacher }), peek()], 'eager', {
      data: { ...given, info: { ...given.info, mean, std } },
    });
    return [...results[0]!.outputs['peek/teacher']!];
  };
  const same = await logitsWith([0.5, 0.5, 0.5], [0.25, 0.25, 0.25]);
  const other = await logitsWith([0.25, 0.5, 0.75], [0.5, 0.25, 0.125]);
  expect(same).toHaveLength(8 * 4);
  for (const [i, logit] of other.entries()) expect(logit).toBeCloseTo(same[i]!, 4);
});

test('refusals: no teacher, other classes, a stage that it has not', async () => {
  expect(await messageOfError(() => run([distill()]))).toBe(
    '[distill] teacher: expected a run, a checkpoint or, with `model`, a file of weights; got none.',
  );
  const { info } = data();
  expect(
    await messageOfError(() =>
      run([distill({ teacher })], 'eager', { data: { ...data(), info: { ...info, classes: ['d', 'c', 'b', 'a'] } } }),
    ),
  ).toContain('expected a network for the 4 classes of the run, in their order; got one for others.');
  const network = tinyModel();
  const forward = withTeacher(network.forward, { ...network, stages: ['input'] });
  const weights = Object.fromEntries(
    network.weights.flatMap(({ name, shape }) => [name, `distill/${name}`].map((key) => [key, tf.zeros([...shape])])),
  );
  const pass = { training: true, inputs: {}, variants: { mix: 'stage1' }, atStage: (_: string, x: tf.Tensor) => x };
  expect(await messageOfError(async () => forward(weights, tf.zeros([2, 8, 8, 3]), pass))).toContain(
    'features are mixed at stage1, and tiny has input. Mix pixels, or take a teacher of the same network.',
  );
});
