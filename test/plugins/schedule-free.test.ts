import { beforeAll, expect, test } from 'vitest';
import mixup from '../../plugins/mixup/index.ts';
import scheduleFree from '../../plugins/schedule-free/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import reference from '../reference/optimisation.json' with { type: 'json' };
import { relativeDistance } from '../step/captured-support.ts';
import { at, infoWithCounts, mixBatch, warningsOf } from '../support/plugins.ts';
import { pixels, twoLayerSteps } from '../support/two-layers.ts';
import { describeCaptured } from '../support/update-steps.ts';

beforeAll(async () => void (await loadBackend()));

const ownOf = (state: Record<string, ArrayLike<number>>, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, state[`schedule-free/${name}`]!]));

describeBackends('steps as the authors’ code (test/reference/optimisation.py)', (use) => {
  beforeAll(use);

  test.each(reference.scheduleFree)(
    '$options: losses, weights, averages, which predict',
    ({ options, ...expected }) => {
      const { program, calls, predict } = twoLayerSteps([scheduleFree(options as never)], { steps: 5 });
      const engine = createEagerEngine(program);
      // A warm-up over two steps.
      const losses = calls.map(
        ([signature, feeds], i) =>
          engine.run(signature, { ...feeds, learningRate: Float32Array.of(i === 0 ? 0.05 : 0.1) }).loss![0]!,
      );
      const state = engine.read();
      const { logits } = engine.run(predict, { images: pixels(9) });
      engine.dispose();
      expect(relativeDistance({ losses }, { losses: expected.losses })).toBeLessThan(5e-6);
      expect(relativeDistance(state, expected.state)).toBeLessThan(5e-6);
      expect(relativeDistance(ownOf(state, Object.keys(expected.average)), expected.average)).toBeLessThan(5e-6);
      expect(relativeDistance({ logits: logits! }, { logits: expected.logits })).toBeLessThan(5e-6);
    },
  );
});

describeCaptured({
  'schedule-free': () => [scheduleFree()],
  adamw: () => [scheduleFree({ method: 'adamw', momentum: 0.5 })],
  'last steps of an epoch, mixed': () => [mixup(), scheduleFree({ normSteps: 2 })],
});

test('batch norm is averaged at the averages in the last steps of an epoch', () => {
  const variantIn = (step: number, normSteps: number): string | undefined => {
    const composition = compose([scheduleFree({ normSteps })], infoWithCounts([3, 2, 1], { stepsPerEpoch: 6 }));
    return mixBatch(composition, Int32Array.of(0, 1), at(1, step, step)).batch.variants['schedule-free-norm'];
  };
  expect([4, 5, 6].map((step) => variantIn(step, 2))).toEqual(['weights', 'averages', 'averages']);
  expect(variantIn(6, 0)).toBeUndefined();
});

test('groups of weights are told of', () => {
  const info = infoWithCounts([3, 2], { weightGroups: ['backbone: …'] });
  expect(warningsOf([scheduleFree()], info)[0]).toContain('NO_EFFECT [schedule-free]');
});
