import { expect, test } from 'vitest';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import sam from '../../plugins/sam/index.ts';
import type { GraphProgram } from '../../src/graph/index.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { createEngine } from '../../src/step/index.ts';
import type { ProgramOptions } from '../../src/step/program.ts';
import { apart, trained } from '../support/network-steps.ts';
import { describeNative } from './captured-support.ts';

const synced = { replicas: 3, batchNorm: 'synced' } as const;

describeNative('batch norm that replicas share', (use) => {
  const inFloat32 = (program: GraphProgram) => createCapturedEngine(program, use());

  test.each([
    ['small-cnn', []],
    ['small-cnn, Remix', [mixup({ alpha: 1 }), remix()]],
  ])('is training on the whole batch: %s', (_, plugins) => {
    for (const [steps, limit] of [
      [1, 1e-6],
      [10, 1e-4],
    ] as const) {
      const run = (options: Partial<ProgramOptions>) =>
        trained({ model: 'small-cnn', plugins: () => plugins, steps }, options, inFloat32);
      const [whole, shared, alone] = [{}, synced, { replicas: 3 }].map(run);
      expect(apart(shared!, whole!)).toBeLessThan(limit);
      expect(apart(alone!, whole!)).toBeGreaterThan(50 * limit);
    }
  });

  test('a plugin that computes gradients twice', () => {
    const steps = { model: 'small-cnn', plugins: () => [sam({ rho: 0.05 })], steps: 3 } as const;
    const { losses } = trained(steps, synced, inFloat32);
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
