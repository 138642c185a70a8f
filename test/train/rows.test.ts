import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import checkpoint from '../../plugins/checkpoint/index.ts';
import manifoldMixup from '../../plugins/manifold-mixup/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import { definePlugin } from '../../src/plugin.ts';
import type { RowGroup } from '../../src/row-groups.ts';
import { forwardRows } from '../../src/step/forward-rows.ts';
import type { BatchResult } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { checkpointPath, readCheckpoint, readLatest } from '../../src/tracking/checkpoint.ts';
import type { TrainerOptions } from '../../src/train/trainer.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { smallRun } from '../support/small-run.ts';
import { squares } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';

const jitter = { name: 'color-jitter' } as const;

/** Pulls the features of views together: a penalty on what `forwardRows` gives. */
const views = (rows: Record<string, RowGroup>) => {
  let groups: Record<string, tf.Tensor> = {};
  return definePlugin({
    name: 'views',
    options: z.strictObject({}),
    rows: () => rows,
    apply({ hooks }) {
      const names = Object.keys(rows).map((group) => `views/${group}`);
      hooks.buildModel.tap('views', (forward) => (weights, images, pass) => {
        const passed = forwardRows(forward, weights, images, pass, names);
        groups = Object.fromEntries(Object.entries(passed.groups).map(([name, { features }]) => [name, features]));
        return passed.outputs;
      });
      hooks.buildLoss.tap('views', (loss) => ({
        ...loss,
        penalties: {
          ...loss.penalties,
          views: ({ features }) => tf.addN(names.map((name) => groups[name]!.sub(features).square().mean().mul(0.1))),
        },
      }));
    },
  })();
};
const two: Record<string, RowGroup> = {
  first: { view: true },
  second: { view: true, augment: [jitter] },
  rare: { weights: (epoch) => Float64Array.of(1, 1, epoch, 2) },
};

const data = () => ({
  ...squares([10, 5, 3, 2]),
  validation: squares([0, 0, 4, 4]).train,
  augment: [{ name: 'flip', probability: 0.5 }] as const,
});

async function train(plugins: TrainerOptions['plugins'] & object, changes: Partial<TrainerOptions> = {}) {
  const run = await smallRun({
    data: data(),
    train: { epochs: 4, batchSize: 8, step: 'eager' },
    ...changes,
    plugins,
  });
  return { ...run, penalties: run.results.map(({ penalties }) => penalties.views) };
}

describeNative('groups of rows', () => {
  test.each([
    ['nothing mixed', []],
    ['pixels mixed', [mixup({ alpha: 1 })]],
    ['features mixed', [manifoldMixup({ alpha: 1 })]],
  ])('captured is eager to the bit, %s', async (_, beside) => {
    const run = (step: 'eager' | 'captured') =>
      train([views(two), ...beside], { train: { epochs: 3, batchSize: 8, step } });
    const [eager, captured] = [await run('eager'), await run('captured')];
    expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
    expect(captured.losses).toEqual(eager.losses);
    expect(captured.penalties).toEqual(eager.penalties);
    expect(captured.state).toEqual(eager.state);
    expect(new Set(eager.penalties).size).toBe(eager.penalties.length);
  });

  test('a run that has none is captured as before: the plugin of others leaves its rows and numbers alone', async () => {
    const plain = await train([], { train: { epochs: 1, batchSize: 8, step: 'captured' } });
    const pooled = await train([views(two)], { train: { epochs: 1, batchSize: 8, step: 'captured' } });
    const rows = ({ batch }: BatchResult) => [...batch.indices.slice(0, batch.size)];
    expect(pooled.results.map(rows)).toEqual(plain.results.map(rows));
    expect(pooled.results.map(({ batch }) => batch.poolSize)).toEqual(plain.results.map(({ batch }) => 4 * batch.size));
  });
});

test('two plugins with rows of their own share a pass: each gets its own', async () => {
  const shapes: number[][] = [];
  const other = definePlugin({
    name: 'other',
    options: z.strictObject({}),
    rows: () => ({ rare: { weights: () => Float64Array.of(0, 0, 0, 1) } }),
    apply({ hooks }) {
      hooks.buildModel.tap('other', (forward) => (weights, images, pass) => {
        const { outputs, groups } = forwardRows(forward, weights, images, pass, ['other/rare']);
        if (pass.training) shapes.push([outputs.logits.shape[0]!, groups['other/rare']!.features.shape[0]!]);
        return outputs;
      });
    },
  });
  await train([views(two), other()], { train: { epochs: 1, batchSize: 20, step: 'eager' } });
  expect(shapes[0]).toEqual([20, 20]);
});

test('rows of validation are of validation, and are told so', async () => {
  const { results } = await train([
    views({ meta: { from: 'validation', weights: () => Float64Array.of(0, 0, 1, 3) } }),
  ]);
  const labels = results.flatMap(({ batch }) => [...batch.labels.slice(batch.size)]);
  expect(new Set(labels)).toEqual(new Set([2, 3]));
});

test('a resumed run gives the same bits', async () => {
  const directory = await temporaryFolder();
  const whole = await train([views(two)]);
  const threaded = await train([views(two), checkpoint({ every: 2, keep: 9 })], { directory });
  expect(threaded.losses).toEqual(whole.losses);
  const { snapshot } = (await readLatest(directory))!;
  expect(snapshot.epoch).toBe(4);
  const half = await train([views(two), checkpoint({ every: 2 })], {
    directory: await temporaryFolder(),
    train: { epochs: 4, batchSize: 8, step: 'eager' },
    resume: await readCheckpoint(checkpointPath(directory, 2)),
  });
  expect(half.state).toEqual(whole.state);
  expect(half.losses).toEqual(whole.losses.slice(6));
});

describe('what is refused by name', () => {
  test('rows that nothing reads', async () => {
    const idle = definePlugin({
      name: 'idle',
      options: z.strictObject({}),
      rows: () => ({ more: { view: true } }),
      apply() {},
    });
    expect(await messageOfError(() => train([idle()]))).toBe(
      '[idle] rows: more: expected rows that the step reads; got a group that no build… function looks up in pass.groups, in a run that mixes nothing. Run the model on it with forwardRows, or mix with its rows (batch.pair).',
    );
  });

  test('a group that is not there', async () => {
    const wrong = definePlugin({
      name: 'wrong',
      options: z.strictObject({}),
      rows: () => ({ more: { view: true } }),
      apply: ({ hooks }) =>
        void hooks.buildModel.tap(
          'wrong',
          (forward) => (weights, images, pass) => forwardRows(forward, weights, images, pass, ['wrong/mroe']).outputs,
        ),
    });
    expect(await messageOfError(() => train([wrong()]))).toContain(
      'forwardRows: expected groups of rows as <plugin>/<group>; got "wrong/mroe", perhaps "wrong/more". Declare it with `rows`.',
    );
  });

  test('transforms that do not end at the shape of the model', async () => {
    expect(
      await messageOfError(() => train([views({ small: { view: true, augment: [{ name: 'resize', size: 4 }] } })])),
    ).toMatch(
      /^\[views] rows: small\.augment: expected transforms that end at the shape of the model; got data\.augment/,
    );
  });
});
