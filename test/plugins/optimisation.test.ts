import { beforeAll, describe, expect, test } from 'vitest';
import drw from '../../plugins/drw/index.ts';
import ema, { warmDecay } from '../../plugins/ema/index.ts';
import gradAccumulation, { endsGroup } from '../../plugins/grad-accumulation/index.ts';
import gradClip, { clipByNorm, clipByValue } from '../../plugins/grad-clip/index.ts';
import { registry } from '../../plugins/index.ts';
import sam, { ascend } from '../../plugins/sam/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import type { HostOutputs } from '../../src/graph/types.ts';
import type { Plugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { tf } from '../../src/tf.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import reference from '../reference/optimisation.json' with { type: 'json' };
import { bothEngines, describeNative, relativeDistance } from '../step/captured-support.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { pixels, twoLayerSteps } from '../support/two-layers.ts';

const pluginOf = async (name: string, options: object): Promise<Plugin> =>
  (await registry[name]!()).default(options as never);

type State = Record<string, ArrayLike<number>>;

/** Eager steps; losses, state, and logits of the images of step 9. */
function runEager(...setup: Parameters<typeof twoLayerSteps>) {
  const { program, calls, predict } = twoLayerSteps(...setup);
  const engine = createEagerEngine(program);
  const states: State[] = [];
  const losses = calls.map(([signature, feeds]) => {
    const { loss } = engine.run(signature, feeds);
    states.push(engine.read());
    return loss![0]!;
  });
  const { logits } = engine.run(predict, { images: pixels(9) }) as HostOutputs;
  engine.dispose();
  return { losses, states, state: states.at(-1)!, logits: Array.from(logits!) };
}

const averagesIn = (state: State): State =>
  Object.fromEntries(
    Object.entries(state).flatMap(([name, values]) => (name.startsWith('ema/') ? [[name.slice(4), values]] : [])),
  );

describeBackends('steps as in PyTorch (test/reference/optimisation.py)', (use) => {
  beforeAll(use);

  test.each(reference.gradients)('$plugin $options', async ({ plugin, options, losses, state }) => {
    const result = runEager([await pluginOf(plugin, options)]);
    expect(relativeDistance({ losses: result.losses }, { losses })).toBeLessThan(2e-6);
    expect(relativeDistance(result.state, state)).toBeLessThan(2e-6);
  });

  test.each(reference.averages)('ema $options: weights untouched, averages predict', ({ options, ...expected }) => {
    const { state, logits } = runEager([ema(options)]);
    expect(relativeDistance(state, expected.state)).toBeLessThan(2e-6);
    expect(relativeDistance(averagesIn(state), expected.average)).toBeLessThan(2e-6);
    expect(relativeDistance({ logits }, { logits: expected.logits })).toBeLessThan(2e-6);
  });

  test.each(reference.accumulated)(
    'grad-accumulation of 6, 6 and 6 is a batch of 18, of 6 and 3 one of 9: $reduction, clipped at $clip',
    ({ reduction, clip, state }) => {
      const clips = clip === null ? [] : [gradClip({ limit: clip })];
      for (const plugins of [
        [...clips, gradAccumulation({ steps: 3 })],
        [gradAccumulation({ steps: 3 }), ...clips],
      ]) {
        const result = runEager(plugins, { centred: false, reduction: reduction as 'mean', steps: 5, lastSize: 3 });
        expect(relativeDistance(result.state, state)).toBeLessThan(2e-6);
      }
    },
  );
});

describe('by hand', () => {
  beforeAll(async () => {
    await loadBackend();
  });
  const values = (tensor: tf.Tensor): number[] => Array.from(tensor.dataSync());

  test('sam climbs ρ along the gradient: (3, 4) has norm 5', () => {
    const weights = { a: tf.tensor1d([1]), b: tf.tensor1d([-2]), fixed: tf.tensor1d([7]) };
    const climbed = ascend(weights, { a: tf.tensor1d([3]), b: tf.tensor1d([4]) }, { rho: 0.5, adaptive: false });
    expect(values(climbed.a!)[0]).toBeCloseTo(1.3, 6);
    expect(values(climbed.b!)[0]).toBeCloseTo(-1.6, 6);
    expect(climbed.fixed).toBe(weights.fixed);
  });

  test('asam: |w|·g = (3, 8), norm √73, then once more times |w|', () => {
    const weights = { a: tf.tensor1d([1]), b: tf.tensor1d([-2]) };
    const climbed = ascend(weights, { a: tf.tensor1d([3]), b: tf.tensor1d([4]) }, { rho: 0.5, adaptive: true });
    expect(values(climbed.a!)[0]).toBeCloseTo(1 + 1.5 / Math.sqrt(73), 6);
    expect(values(climbed.b!)[0]).toBeCloseTo(-2 + 8 / Math.sqrt(73), 6);
  });

  test('sam at a gradient of zero stays where it is', () => {
    const climbed = ascend({ a: tf.tensor1d([1, 2]) }, { a: tf.zeros([2]) }, { rho: 0.5, adaptive: false });
    expect(values(climbed.a!)).toEqual([1, 2]);
  });

  test('grad-clip: a norm of 5 cut to 1; below the limit the same bits; zero stays zero', () => {
    const gradients = { a: tf.tensor1d([3]), b: tf.tensor1d([-4]) };
    const clipped = clipByNorm(gradients, 1);
    expect(values(clipped.a!)[0]).toBeCloseTo(0.6, 6);
    expect(values(clipped.b!)[0]).toBeCloseTo(-0.8, 6);
    expect(values(clipByNorm({ a: tf.tensor1d([0.1, 0.7]) }, 1).a!)).toEqual([...Float32Array.of(0.1, 0.7)]);
    expect(values(clipByNorm({ a: tf.zeros([2]) }, 1).a!)).toEqual([0, 0]);
    expect(values(clipByValue(gradients, 3.5).b!)).toEqual([-3.5]);
    expect(values(clipByValue(gradients, 3.5).a!)).toEqual([3]);
  });

  test('ema: decay 1/10, 2/11, 3/12, … up to its limit', () => {
    const decays = [0, 1, 2, 89, 1000].map((t) => values(warmDecay(0.9, tf.scalar(t)))[0]!);
    for (const [i, expected] of [0.1, 2 / 11, 0.25, 90 / 99, 0.9].entries()) {
      expect(decays[i]).toBeCloseTo(Math.min(expected, 0.9), 6);
    }
  });

  test('grad-accumulation: every third step ends a group, and the last of the epoch', () => {
    const ends = [1, 2, 3, 4, 5, 6, 7].filter((stepInEpoch) => endsGroup({ stepInEpoch }, 3, 7));
    expect(ends).toEqual([3, 6, 7]);
  });

  test('between updates nothing but the sums changes, to the bit; after one they are zero', () => {
    const { states } = runEager([ema(), gradAccumulation({ steps: 3 })], { centred: false, steps: 4 });
    const sums = (state: State) => Object.entries(state).filter(([name]) => name.startsWith('grad-accumulation/'));
    const others = (state: State) => Object.entries(state).filter(([name]) => !name.startsWith('grad-accumulation/'));
    expect(others(states[1]!)).toEqual(others(states[0]!));
    expect(others(states[2]!)).not.toEqual(others(states[1]!));
    // Weights of 0.5, 1 and 2: six of the first class in step 1, two of each in step 2.
    expect(states[0]!['grad-accumulation/normalizer']![0]).toBeCloseTo(3, 6);
    expect(states[1]!['grad-accumulation/normalizer']![0]).toBeCloseTo(10, 6);
    for (const [name, values] of [...sums(states[2]!), ...sums(states[3]!)]) {
      expect(
        Array.from(values).every((value) => value === 0),
        name,
      ).toBe(true);
    }
  });

  test('ema averages once an update, in whichever order the two are listed', () => {
    const setup = { centred: false, steps: 4 };
    const [first, second] = [
      runEager([ema({ decay: 0.5 }), gradAccumulation()], setup),
      runEager([gradAccumulation(), ema({ decay: 0.5 })], setup),
    ];
    expect(first.state['ema/updates']).toEqual(Float32Array.of(2));
    expect(second.state).toEqual(first.state);
  });
});

describeNative('captured', (use) => {
  test.each([
    ['sam', [sam({ rho: 0.3 })]],
    ['sam adaptive', [sam({ rho: 0.8, adaptive: true })]],
    ['ema', [ema({ decay: 0.7 })]],
    ['ema without warm-up', [ema({ decay: 0.7, warmup: false })]],
    ['grad-clip', [gradClip({ limit: 0.2 })]],
    ['grad-clip by value', [gradClip({ by: 'value', limit: 0.05 })]],
    ['grad-accumulation', [gradAccumulation({ steps: 3 })]],
    ['all together', [sam({ rho: 0.3 }), ema({ decay: 0.7 }), gradClip({ limit: 0.2 }), gradAccumulation()]],
  ])('%s: as eager', (_, plugins) => {
    const { program, calls, predict } = twoLayerSteps(plugins, { steps: 5, lastSize: 3 });
    const engines = bothEngines(program, use());
    for (const [signature, feeds] of calls) {
      const { eager, captured } = engines.run(signature, feeds);
      expect(relativeDistance({ loss: captured.loss! }, { loss: eager.loss! })).toBeLessThan(1e-6);
    }
    expect(relativeDistance(engines.captured.read(), engines.eager.read())).toBeLessThan(1e-6);
    const logits = engines.run(predict, { images: pixels(9) });
    expect(relativeDistance(logits.captured, logits.eager)).toBeLessThan(1e-6);
    engines.dispose();
  });
});

test('a run with all of them, three steps to an update, is resumed exactly', async () => {
  const snapshots: Snapshot[] = [];
  const run = (resume?: Snapshot) =>
    createTrainer({
      data: squares([10, 3, 2, 1]),
      model: tinyModel(),
      plugins: [
        sam(),
        ema({ decay: 0.9 }),
        gradClip(),
        gradAccumulation({ steps: 3 }),
        drw({ deferUntil: 1 }),
        {
          definition: {
            name: 'observer',
            options: drw.definition.options,
            apply: ({ hooks }) =>
              hooks.onEpochEnd.tap(
                'observer',
                (_, running) => void snapshots.push(structuredClone(running.snapshot())),
              ),
          },
          options: {},
        } as Plugin,
      ],
      train: { epochs: 3, batchSize: 4 },
      ...(resume ? { resume } : {}),
    }).run();
  const whole = await run();
  const resumed = await run(snapshots[0]);
  expect(resumed.snapshot!.state).toEqual(whole.snapshot!.state);
  expect(resumed.summary.last).toEqual(whole.summary.last);
});

test('what has no effect is warned of', () => {
  const info = infoWithCounts([10, 6], { stepsPerEpoch: 3 });
  expect(warningsOf([sam({ rho: 0 }), ema({ decay: 0 }), gradAccumulation({ steps: 1 })], info)).toMatchInlineSnapshot(`
    [
      "NO_EFFECT [sam] rho is 0: the gradient is the plain one.",
      "NO_EFFECT [ema] decay is 0: the average is the weights themselves.",
      "NO_EFFECT [grad-accumulation] steps is 1: every step updates, as without the plugin.",
    ]
  `);
  expect(warningsOf([gradAccumulation({ steps: 4 })], info)).toMatchInlineSnapshot(`
    [
      "NOT_INTENDED [grad-accumulation] steps 4 is more than an epoch has, 3: there is one update an epoch.",
    ]
  `);
});
