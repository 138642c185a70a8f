import { expect, test, vi } from 'vitest';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { type GraphProgram, openGraph } from '../../src/graph/index.ts';
import { median } from '../../src/metrics/statistics.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import type { ProgramOptions } from '../../src/step/program.ts';
import { openFloat64 } from '../support/float64.ts';
import { apart, trained } from '../support/network-steps.ts';
import { describeNative } from './captured-support.ts';

vi.setConfig({ testTimeout: 600_000 });

const DRAWS = 12;
const synced = { replicas: 3, batchNorm: 'synced' } as const;

describeNative('ResNet-32 with batch norm that replicas share', (use) => {
  const inFloat64 = (program: GraphProgram) =>
    openFloat64(program, (wide, rewrite) => openGraph(wide, use(), { rewrite }));
  const inFloat32 = (program: GraphProgram) => createCapturedEngine(program, use());

  test.each([
    ['alone', []],
    ['Remix', [mixup({ alpha: 1 }), remix()]],
  ])('is training on the whole batch, in float64: %s', (_, plugins) => {
    const run = (steps: number, options: Partial<ProgramOptions>) =>
      trained({ model: 'resnet32', learningRate: 0.05, plugins: () => plugins, steps }, options, inFloat64);
    const [one, ten] = [1, 10].map((steps) => apart(run(steps, synced), run(steps, {})));
    console.info(`after one step ${one!.toExponential(1)}, after ten ${ten!.toExponential(1)}`);
    expect(one).toBeLessThan(1e-12);
    expect(ten).toBeLessThan(1e-11);
    expect(apart(run(1, { replicas: 3 }), run(1, {}))).toBeGreaterThan(1e-3);
  });

  test('is as near to float64, in float32, as the whole batch', () => {
    const draws = Array.from({ length: DRAWS }, (_, seed) => {
      const steps = { model: 'resnet32', learningRate: 0.001, steps: 1, seed } as const;
      const exact = trained(steps, {}, inFloat64);
      const [whole, shared] = [{}, synced].map((options) => trained(steps, options, inFloat32));
      return { whole: apart(whole!, exact), shared: apart(shared!, exact), both: apart(shared!, whole!) };
    });
    const of = (what: 'whole' | 'shared' | 'both') => draws.map((draw) => draw[what]);
    const shown = (values: number[]) =>
      `${median(values).toExponential(1)}, at least ${Math.min(...values).toExponential(1)}, at most ${Math.max(...values).toExponential(1)}`;
    console.info(
      `from float64: whole batch ${shown(of('whole'))}; replicas ${shown(of('shared'))}; from each other ${shown(of('both'))}`,
    );
    // A ReLU whose input is rounded to the other side of 0 is a step of its own, in either of them: in the nearest draw, none is.
    expect(Math.min(...of('shared'))).toBeLessThan(4 * Math.min(...of('whole')));
    expect(median(of('shared'))).toBeLessThan(10 * median(of('whole')));
    expect(Math.min(...of('whole'))).toBeGreaterThan(1e-8);
  });
});
