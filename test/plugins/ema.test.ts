import { beforeAll, expect, test } from 'vitest';
import ema, { warmDecay } from '../../plugins/ema/index.ts';
import gradAccumulation from '../../plugins/grad-accumulation/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import type { Pass } from '../../src/models/types.ts';
import { tf } from '../../src/tf.ts';
import { mapValues } from '../../src/util/map-values.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import reference from '../reference/optimisation.json' with { type: 'json' };
import { relativeDistance } from '../step/captured-support.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { describeCaptured, runEager, type State } from '../support/update-steps.ts';

beforeAll(async () => {
  await loadBackend();
});

const values = (tensor: tf.Tensor): number[] => Array.from(tensor.dataSync());

const averagesIn = (state: State): State =>
  Object.fromEntries(
    Object.entries(state).flatMap(([name, values]) => (name.startsWith('ema/') ? [[name.slice(4), values]] : [])),
  );

describeBackends('steps as in PyTorch (test/reference/optimisation.py)', (use) => {
  beforeAll(use);

  test.each(reference.averages)('$options: weights untouched, averages predict', ({ options, ...expected }) => {
    const { state, logits } = runEager([ema(options)]);
    expect(relativeDistance(state, expected.state)).toBeLessThan(2e-6);
    expect(relativeDistance(averagesIn(state), expected.average)).toBeLessThan(2e-6);
    expect(relativeDistance({ logits }, { logits: expected.logits })).toBeLessThan(2e-6);
  });
});

describeCaptured({
  ema: () => [ema({ decay: 0.7 })],
  'without warm-up': () => [ema({ decay: 0.7, warmup: false })],
});

test('decay 1/10, 2/11, 3/12, … up to its limit', () => {
  const decays = [0, 1, 2, 89, 1000].map((t) => values(warmDecay(0.9, tf.scalar(t)))[0]!);
  for (const [i, expected] of [0.1, 2 / 11, 0.25, 90 / 99, 0.9].entries()) {
    expect(decays[i]).toBeCloseTo(Math.min(expected, 0.9), 6);
  }
});

test('averages once an update of grad-accumulation, in whichever order the two are listed', () => {
  const setup = { centred: false, steps: 4 };
  const [first, second] = [
    runEager([ema({ decay: 0.5 }), gradAccumulation()], setup),
    runEager([gradAccumulation(), ema({ decay: 0.5 })], setup),
  ];
  expect(first.state['ema/updates']).toEqual(Float32Array.of(2));
  expect(second.state).toEqual(first.state);
});

test('weights that are not trained have no average', () => {
  const { hooks } = compose([ema({ decay: 0.5, warmup: false })], infoWithCounts([10, 6]));
  const update = hooks.buildUpdate.call({
    slots: () => [],
    apply: ({ trained }) => ({ weights: { trained: trained!.add(2) }, slots: {} }),
  });
  const [trained, frozen] = ['trained', 'frozen'].map((name) => ({
    name,
    shape: [],
    kind: 'kernel' as const,
    initial: () => Float32Array.of(1),
  }));
  expect(update.slots([trained!], [trained!, frozen!]).map(({ name }) => name)).toEqual(['ema/trained']);
  const weights = { trained: tf.scalar(1), frozen: tf.scalar(7) };
  const { slots } = update.apply(weights, { 'ema/trained': tf.scalar(1) }, {}, {} as Pass);
  expect(mapValues(slots, values)).toEqual({ 'ema/trained': [2] });
});

test('decay 0 is warned of', () => {
  expect(warningsOf([ema()], infoWithCounts([10, 6]))).toEqual([]);
  expect(warningsOf([ema({ decay: 0 })], infoWithCounts([10, 6]))).toEqual([
    'NO_EFFECT [ema] decay is 0: the average is the weights themselves.',
  ]);
});
