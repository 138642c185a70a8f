import { beforeAll, expect, test } from 'vitest';
import type { HostOutputs } from '../../src/graph/types.ts';
import type { Plugin, PluginFactory } from '../../src/plugin.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import reference from '../reference/optimisation.json' with { type: 'json' };
import { bothEngines, describeNative, relativeDistance } from '../step/captured-support.ts';
import { pixels, twoLayerSteps } from './two-layers.ts';

/** Weights and slots by name. */
export type State = Record<string, ArrayLike<number>>;

/** Eager steps; losses, state, and logits of the images of step 9. */
export function runEager(...setup: Parameters<typeof twoLayerSteps>) {
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

/** Four steps of the two-layer network against PyTorch (test/reference/optimisation.py). */
export function describeSteps(factory: PluginFactory): void {
  const cases = reference.gradients.filter(({ plugin }) => plugin === factory.definition.name);

  describeBackends('steps as in PyTorch (test/reference/optimisation.py)', (use) => {
    beforeAll(use);

    test.each(cases)('$options', ({ options, losses, state }) => {
      const result = runEager([factory(options as never)]);
      expect(relativeDistance({ losses: result.losses }, { losses })).toBeLessThan(2e-6);
      expect(relativeDistance(result.state, state)).toBeLessThan(2e-6);
    });
  });
}

/** Five captured steps and a prediction, as the eager ones. */
export function describeCaptured(cases: Readonly<Record<string, () => readonly Plugin[]>>): void {
  describeNative('captured', (use) => {
    test.each(Object.entries(cases))('%s: as eager', (_, plugins) => {
      const { program, calls, predict } = twoLayerSteps(plugins(), { steps: 5, lastSize: 3 });
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
}
