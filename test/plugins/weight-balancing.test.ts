import { beforeAll, expect, test } from 'vitest';
import weightBalancing, { maxNorm } from '../../plugins/weight-balancing/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { tf } from '../../src/tf.ts';
import { at, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';
import { describeCaptured, describeSteps, runEager } from '../support/update-steps.ts';

beforeAll(async () => void (await loadBackend()));

describeSteps(weightBalancing);

describeCaptured({
  'each step': () => [weightBalancing({ limit: 0.7 })],
  'each epoch': () => [weightBalancing({ limit: 0.7, every: 'epoch' })],
});

const norms = (kernel: ArrayLike<number>) =>
  [0, 1, 2].map((c) => Math.hypot(...Array.from(kernel).filter((_, i) => i % 3 === c)));

test('longer vectors get the length, shorter ones keep their bits, zeros stay zeros', () => {
  const kernel = tf.tensor2d([
    [3, 0.1, 0],
    [-4, 0.7, 0],
  ]);
  const found = [...maxNorm(kernel, 1).dataSync()];
  expect(found[0]).toBeCloseTo(0.6, 6);
  expect(found[3]).toBeCloseTo(-0.8, 6);
  expect([found[1], found[4]]).toEqual([...Float32Array.of(0.1, 0.7)]);
  expect([found[2], found[5]]).toEqual([0, 0]);
});

test('no vector is longer after any step; by epoch, after the last of it', () => {
  const longest = (plugin: ReturnType<typeof weightBalancing>) =>
    runEager([plugin]).states.map((state) => Math.max(...norms(state['classifier/kernel']!)));
  for (const norm of longest(weightBalancing({ limit: 0.7 }))) expect(norm).toBeLessThan(0.7001);
  const byEpoch = longest(weightBalancing({ limit: 0.7, every: 'epoch' }));
  expect(byEpoch.map((norm) => norm > 0.7001)).toEqual([true, true, true, false]);
});

test('the input is 1 in the last step of an epoch alone', () => {
  const info = infoWithCounts([10, 6, 4], { stepsPerEpoch: 3 });
  const composition = compose([weightBalancing({ every: 'epoch' })], info);
  const due = [1, 2, 3].map((step) => {
    const { batch } = mixBatch(composition, Int32Array.of(0, 1, 2), at(2, 3 + step, step));
    return batch.inputs['weight-balancing/due']![0];
  });
  expect(due).toEqual([0, 0, 1]);
});

test('a frozen classifier is warned of', () => {
  const start = { init: 'first', reset: [], freeze: ['classifier'], frozenNorm: 'batch' } as const;
  expect(warningsOf([weightBalancing()], infoWithCounts([3, 2, 1], { start }))).toEqual([
    'NO_EFFECT [weight-balancing] the classifier is frozen: its vectors stay as they are.',
  ]);
});
