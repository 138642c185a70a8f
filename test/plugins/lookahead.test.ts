import { beforeAll, expect, test } from 'vitest';
import ema from '../../plugins/ema/index.ts';
import gradAccumulation from '../../plugins/grad-accumulation/index.ts';
import lookahead from '../../plugins/lookahead/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import reference from '../reference/optimisation.json' with { type: 'json' };
import { relativeDistance } from '../step/captured-support.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { describeCaptured, runEager, type State } from '../support/update-steps.ts';

beforeAll(async () => void (await loadBackend()));

const slowIn = (state: State): State =>
  Object.fromEntries(
    Object.entries(state).flatMap(([name, values]) =>
      name.startsWith('lookahead/') && name !== 'lookahead/count' ? [[name.slice(10), values]] : [],
    ),
  );

describeBackends('steps as in PyTorch (test/reference/optimisation.py)', (use) => {
  beforeAll(use);

  test.each(reference.lookahead)(
    '$options: losses, fast and slow weights, which predict',
    ({ options, ...expected }) => {
      const { losses, state, logits } = runEager([lookahead(options)], { steps: 5 });
      expect(relativeDistance({ losses }, { losses: expected.losses })).toBeLessThan(2e-6);
      expect(relativeDistance(state, expected.state)).toBeLessThan(2e-6);
      const { 'hidden/mean': _, ...slow } = expected.slow;
      expect(relativeDistance(slowIn(state), slow)).toBeLessThan(2e-6);
      expect(relativeDistance({ logits }, { logits: expected.logits })).toBeLessThan(2e-6);
    },
  );
});

describeCaptured({
  lookahead: () => [lookahead({ steps: 2 })],
  'with an average': () => [lookahead({ steps: 2 }), ema({ decay: 0.7 })],
});

test('with α 1 the weights are the optimizer’s', () => {
  const { 'lookahead/count': _, ...state } = runEager([lookahead({ alpha: 1, steps: 2 })]).state;
  const plain = runEager([]).state;
  for (const [name, values] of Object.entries(plain)) {
    expect(relativeDistance({ values: state[name]! }, { values }), name).toBeLessThan(1e-6);
  }
  expect(warningsOf([lookahead({ alpha: 1 })], infoWithCounts([3, 2, 1]))).toEqual([
    'NO_EFFECT [lookahead] alpha is 1: the slow weights are the fast ones.',
  ]);
});

test('counts updates, not steps, where gradients are accumulated', () => {
  const setup = { centred: false, steps: 4 };
  const { state } = runEager([lookahead({ steps: 2 }), gradAccumulation({ steps: 2 })], setup);
  expect(state['lookahead/count']![0]).toBe(0);
  const odd = runEager([lookahead({ steps: 3 }), gradAccumulation({ steps: 2 })], setup);
  expect(odd.state['lookahead/count']![0]).toBe(2);
});
