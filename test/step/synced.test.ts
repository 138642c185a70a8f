import { expect, test } from 'vitest';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import sam from '../../plugins/sam/index.ts';
import type { GraphProgram } from '../../src/graph/index.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { createEngine } from '../../src/step/index.ts';
import type { ProgramOptions } from '../../src/step/program.ts';
import { type NetworkSteps, networkSteps } from '../support/network-steps.ts';
import { describeNative } from './captured-support.ts';

describeNative('batch norm that replicas share', (use) => {
  function run(steps: NetworkSteps, options: Partial<ProgramOptions>) {
    const { program, calls, weights } = networkSteps(steps, options);
    const engine = createCapturedEngine(program, use());
    const losses = calls.map(([signature, feeds]) => engine.run(signature, feeds).loss![0]!);
    const state = engine.read();
    engine.dispose();
    return { losses, weights: weights.map((name) => state[name]!) };
  }

  /** Of loss, weights and statistics; relative where they are above 1. */
  function apart(a: ReturnType<typeof run>, b: ReturnType<typeof run>): number {
    let most = 0;
    const pairs = a.weights.map((values, k) => [values, b.weights[k]!] as const);
    for (const [one, other] of [[a.losses, b.losses] as const, ...pairs])
      for (let i = 0; i < one.length; i++)
        most = Math.max(most, Math.abs(one[i]! - other[i]!) / Math.max(1, Math.abs(other[i]!)));
    return most;
  }

  const synced = { replicas: 3, batchNorm: 'synced' } as const;

  test.each<[string, Omit<NetworkSteps, 'steps'>]>([
    ['small-cnn', { model: 'small-cnn' }],
    ['small-cnn, Remix', { model: 'small-cnn', plugins: () => [mixup({ alpha: 1 }), remix()] }],
    ['resnet32', { model: 'resnet32', learningRate: 0.001 }],
  ])('is training on the whole batch: %s', (_, given) => {
    const { model } = given;
    for (const [steps, limit] of [
      [1, 1e-6],
      [10, 1e-4],
    ] as const) {
      const whole = run({ ...given, steps }, {});
      const shared = apart(run({ ...given, steps }, synced), whole);
      const alone = apart(run({ ...given, steps }, { replicas: 3 }), whole);
      // What rounding alone makes of the same step: rows the other way round, and weights moved by their last bit.
      const reversed = apart(run({ ...given, steps, reversed: true }, {}), whole);
      const moved = apart(run({ ...given, steps, moved: true }, {}), whole);
      expect(shared).toBeLessThan(model === 'resnet32' ? Math.max(limit, 2 * Math.max(reversed, moved)) : limit);
      expect(alone).toBeGreaterThan(50 * shared);
    }
  });

  test('a plugin that computes gradients twice', () => {
    const { losses } = run({ model: 'small-cnn', plugins: () => [sam({ rho: 0.05 })], steps: 3 }, synced);
    expect(losses.every(Number.isFinite)).toBe(true);
  });

  test('an eager step refuses it', async () => {
    const program = {} as GraphProgram;
    const made = createEngine(program, use(), { step: 'eager', precision: 'fp32', synced: true });
    await expect(made).rejects.toThrowErrorMatchingInlineSnapshot(
      `[TailmixError: train.batchNorm: expected perReplica where a step is not captured; got synced, with train.step: eager on the native backend. Use the native backend with train.step: captured or auto.]`,
    );
  });
});
