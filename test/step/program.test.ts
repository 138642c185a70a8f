import { beforeAll, expect, test } from 'vitest';
import ema from '../../plugins/ema/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { twoLayerSteps } from '../support/two-layers.ts';

beforeAll(async () => {
  await loadBackend();
});

test('the update sees the statistics of its own step: an average takes the new ones, not those of the step before', () => {
  const { program, calls } = twoLayerSteps([ema({ decay: 0.5, warmup: false })], { steps: 3 });
  const engine = createEagerEngine(program);
  let average = [0, 0, 0, 0, 0];
  for (const [signature, feeds] of calls) {
    engine.run(signature, feeds);
    const state = engine.read(['hidden/mean', 'ema/hidden/mean']);
    average = average.map((before, i) => 0.5 * before + 0.5 * state['hidden/mean']![i]!);
    expect(average.every((value) => Math.abs(value) > 1e-4)).toBe(true);
    state['ema/hidden/mean']!.forEach((value, i) => {
      expect(value).toBeCloseTo(average[i]!, 6);
    });
  }
  engine.dispose();
});
