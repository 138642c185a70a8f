import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import checkpoint from '../../plugins/checkpoint/index.ts';
import ema from '../../plugins/ema/index.ts';
import { definePlugin, type PluginContext } from '../../src/plugin.ts';
import { checkpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { smallRun } from '../support/small-run.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';

const [COPY, KEPT, SEEN] = ['keeper/copy', 'keeper/kept', 'keeper/seen'];
const KERNEL = 'hidden/kernel';

/** A copy of a kernel that follows it by the update, the last features of the forward pass, a number that hooks write. */
const keeper = ({
  forward = true,
  apply = () => {},
}: {
  forward?: boolean;
  apply?: (context: PluginContext) => void;
} = {}) =>
  definePlugin({
    name: 'keeper',
    options: z.strictObject({}),
    extendModel: (model) => ({
      ...model,
      weights: [
        ...model.weights,
        { name: COPY, shape: [192, 8], kind: 'state', initial: (_, weights) => weights![KERNEL]! },
        {
          name: KEPT,
          shape: [8],
          kind: 'state',
          initial: (random) => Float32Array.from({ length: 8 }, () => random.normal()),
        },
        { name: SEEN, shape: [1], kind: 'state', initial: () => new Float32Array(1) },
      ],
      forward(weights, images, pass) {
        const outputs = model.forward(weights, images, pass);
        const next = { [KEPT]: weights[KEPT]!.mul(0.5).add(outputs.features.mean(0)) };
        const logits = outputs.logits.add(weights[KEPT]!.sum().add(weights[SEEN]!).mul(0.01));
        return { ...outputs, logits, statistics: { ...outputs.statistics, ...(pass.training && forward ? next : {}) } };
      },
    }),
    apply(context) {
      context.hooks.buildUpdate.tap('keeper', (update) => ({
        ...update,
        apply(weights, slots, gradients, pass) {
          const next = update.apply(weights, slots, gradients, pass);
          const copy = weights[COPY]!.mul(0.9).add((next.weights[KERNEL] ?? weights[KERNEL]!).mul(0.1));
          return { ...next, weights: { ...next.weights, [COPY]: copy } };
        },
      }));
      context.hooks.onEpochBegin.tap('keeper', (epoch, run) => run.write({ [SEEN]: Float32Array.of(epoch) }));
      apply(context);
    },
  })();

async function train(plugins: TrainerOptions['plugins'] & object, changes: Partial<TrainerOptions> = {}) {
  const train = { epochs: 4, batchSize: 10, step: 'eager' } as const;
  const { mode, losses, state, snapshot } = await smallRun({ train, ...changes, plugins });
  return { mode, losses, state, weights: snapshot.weights };
}

describeNative('state that a plugin keeps', () => {
  test('captured is eager to the bit; a run without any has the weights as before', async () => {
    const run = (step: 'eager' | 'captured') => train([keeper()], { train: { epochs: 3, batchSize: 8, step } });
    const [eager, captured] = [await run('eager'), await run('captured')];
    expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
    expect(captured).toEqual({ ...eager, mode: 'captured' });
    expect(captured.state[SEEN!]).toEqual([3]);
    expect((await train([])).weights).toEqual(tinyModel().weights.map(({ name }) => name));
  });
});

test('begins as the weights that it copies, also those of a run to start from, and is carried from step to step', async () => {
  const begun: Record<string, Float32Array> = {};
  const first = keeper({
    apply: ({ hooks }) =>
      void hooks.onTrainBegin.tap('keeper', (run) => {
        for (const [name, { values }] of Object.entries(run.snapshot().state)) begun[name] = values.slice();
      }),
  });
  const { state } = await train([first]);
  expect(begun[COPY!]).toEqual(begun[KERNEL]);
  expect(state[COPY!]).not.toEqual([...begun[KERNEL]!]);
  expect(state[KEPT!]).not.toEqual([...begun[KEPT!]!]);
  const source = await createTrainer({
    data: squares(),
    model: tinyModel(),
    train: { epochs: 1, step: 'eager' },
  }).run();
  await train([first], { start: { init: source.snapshot! } });
  expect(begun[KERNEL]).toEqual(source.snapshot!.state[KERNEL]!.values);
  expect(begun[COPY!]).toEqual(begun[KERNEL]);
});

test('a resumed run goes on with it to the bit, what was written in an epoch’s end too', async () => {
  const late = () =>
    keeper({
      apply: ({ hooks }) =>
        void hooks.onEpochEnd.tap('keeper', ({ epoch }, run) =>
          run.write({ [KEPT!]: new Float32Array(8).fill(epoch) }),
        ),
    });
  const directory = await temporaryFolder();
  const whole = await train([late(), checkpoint({ every: 1, keep: 9 })], { directory });
  const resume = await readCheckpoint(checkpointPath(directory, 2));
  expect(resume.state[KEPT!]!.values).toEqual(new Float32Array(8).fill(2));
  expect((await train([late()], { resume })).state).toEqual(whole.state);
});

test('is not averaged, trained, fixed or counted', async () => {
  const { state } = await train([keeper(), ema({ decay: 0.9 })]);
  expect(Object.keys(state).filter((name) => name.startsWith('ema/') && name.includes('keeper'))).toEqual([]);
  expect(Object.keys(state).filter((name) => name.startsWith('momentum/') && name.includes('keeper'))).toEqual([]);
  const fixed = await train([keeper()], { start: { freeze: ['hidden'], frozenNorm: 'running' } });
  expect(fixed.state['hidden/mean']).toEqual(Array(8).fill(0));
  expect(fixed.state[KEPT!]).not.toEqual(state[KEPT!]);
  const trained: boolean[] = [];
  await train([
    keeper({
      apply: ({ hooks }) =>
        void hooks.onTrainBegin.tap('keeper', ({ weights }) => {
          trained.push(...weights.filter(({ name }) => name.startsWith('keeper')).map((weight) => weight.trained));
        }),
    }),
  ]);
  expect(trained).toEqual([false, false, false]);
});

describe('what is refused by name', () => {
  const replicas = { train: { epochs: 1, batchSize: 10, replicas: 2, step: 'eager' as const } };

  test('state that each replica would carry on otherwise; the update and hooks may', async () => {
    expect(await messageOfError(() => train([keeper()], replicas))).toBe(
      '[keeper] buildModel: statistics["keeper/kept"]: expected state that the forward pass leaves alone: each of 2 replicas would have a next value of its own; got a next value of it. Carry it on in buildUpdate or by run.write, or train without train.replicas.',
    );
    expect((await train([keeper({ forward: false })], replicas)).state[SEEN!]).toEqual([1]);
  });

  test.each<[string, Record<string, Float32Array>, string]>([
    [
      'another weight',
      { [KERNEL]: new Float32Array(1) },
      'expected a weight of kind state; got "hidden/kernel", here keeper/copy, keeper/kept, keeper/seen.',
    ],
    [
      'a misspelt name',
      { 'keeper/sene': new Float32Array(1) },
      'expected a weight of kind state; got "keeper/sene", perhaps "keeper/seen".',
    ],
    [
      'another length',
      { [SEEN!]: new Float32Array(2) },
      'keeper/seen: expected a Float32Array of 1, each of finite size; got a Float32Array of 2.',
    ],
  ])('run.write of %s', async (_, values, message) => {
    const wrong = keeper({
      apply: ({ hooks }) => void hooks.onEpochBegin.tap('keeper', (_epoch, run) => run.write(values)),
    });
    expect(await messageOfError(() => train([wrong]))).toBe(`[keeper] onEpochBegin: run.write: ${message}`);
  });

  test('run.write within an epoch', async () => {
    const late = keeper({
      apply({ hooks }) {
        let write = (): void => {};
        hooks.onEpochBegin.tap('keeper', (_, run) => {
          write = () => run.write({});
        });
        hooks.onBatchEnd.tap('keeper', () => write());
      },
    });
    expect(await messageOfError(() => train([late]))).toBe(
      '[keeper] onBatchEnd: run.write: expected a call in onTrainBegin, onEpochBegin or onEpochEnd; got one within an epoch.',
    );
  });
});
