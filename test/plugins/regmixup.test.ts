import { beforeAll, describe, expect, test } from 'vitest';
import bcl from '../../plugins/bcl/index.ts';
import drw from '../../plugins/drw/index.ts';
import manifoldMixup from '../../plugins/manifold-mixup/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import regmixup, { mixedAndPlain } from '../../plugins/regmixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import type { Plugin } from '../../src/plugin.ts';
import { tf } from '../../src/tf.ts';
import { bothEngines, describeNative, relativeDistance } from '../step/captured-support.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { at, infoWithCounts, mixBatch } from '../support/plugins.ts';
import { twoLayerSteps } from '../support/two-layers.ts';

const INPUT = 'regmixup/weight';

test('rows weigh what their class does, whatever a label rule makes of the mixed ones', () => {
  const composition = compose([mixup(), remix(), drw({ deferUntil: 1 }), regmixup()], infoWithCounts([100, 10, 1]));
  const labels = Int32Array.of(0, 1, 2, 0, 1, 2);
  const weightsIn = (epoch: number) => {
    const classWeights = composition.hooks.computeClassWeights.call(Float64Array.of(1, 1, 1), at(epoch));
    const { batch } = mixBatch(composition, labels, at(epoch));
    return { classWeights, own: batch.inputs[INPUT]! };
  };
  expect([...weightsIn(1).own]).toEqual([1, 1, 1, 1, 1, 1]);
  const { classWeights, own } = weightsIn(2);
  expect(classWeights[2]! / classWeights[0]!).toBeGreaterThan(10);
  expect([...own]).toEqual([...labels].map((label) => Math.fround(classWeights[label]!)));
});

test('a rehearsal leaves the weights of the epoch as they are', () => {
  const composition = compose([mixup(), regmixup()], infoWithCounts([3, 2, 1]));
  composition.hooks.computeClassWeights.call(Float64Array.of(1, 2, 3), at(1));
  composition.hooks.computeClassWeights.call(Float64Array.of(9, 9, 9), { epoch: 50, rehearsal: true });
  const { batch } = mixBatch(composition, Int32Array.of(0, 1, 2), at(1));
  expect([...batch.inputs[INPUT]!]).toEqual([1, 2, 3]);
});

describeNative('with a statistic over all rows', (use) => {
  const run = (plugins: readonly Plugin[]) => {
    const { program, calls } = twoLayerSteps(plugins);
    const engines = bothEngines(program, use());
    const steps = calls.map(([signature, feeds]) => {
      const [captured, eager] = [engines.captured.run(signature, feeds), engines.eager.run(signature, feeds)];
      expect(captured.loss![0]).toBeCloseTo(eager.loss![0]!, 5);
      expect(captured.predictions).toEqual(eager.predictions);
      expect(captured.predictions).toHaveLength(6);
      return eager.loss![0]!;
    });
    expect(engines.captured.mode).toBe('captured');
    const states = [engines.captured.read(), engines.eager.read()] as const;
    expect(relativeDistance(...states)).toBeLessThan(1e-5);
    engines.dispose();
    return steps;
  };

  test.each([
    ['mixup', () => [mixup(), remix(), regmixup({ weight: 0.5 })]],
    ['manifold-mixup', () => [manifoldMixup({ stages: ['input'] }), regmixup()]],
  ])('captured as eager, four steps: %s', (_, plugins) => {
    expect(run(plugins()).every(Number.isFinite)).toBe(true);
  });
});

describe('the forward pass', () => {
  beforeAll(async () => void (await loadBackend()));
  const seen: number[] = [];
  const forward = mixedAndPlain((_, images, { atStage }) => {
    const x = atStage('stage1', atStage('input', images).mul(10));
    seen.push(x.shape[0]!);
    return { logits: x, features: x.neg(), statistics: {} };
  });
  const images = () => tf.range(1, 7).reshape([6, 1]);
  const atStage = (stage: string, x: tf.Tensor) => (stage === 'stage1' ? x.slice([0, 0], [2, 1]).mul(0.5) : x);
  const pass = (training: boolean, variants: Record<string, string>) => ({ training, variants, inputs: {}, atStage });
  const values = (x: tf.Tensor | undefined) => [...x!.dataSync()];

  test('has the mixed rows, then the trained rows of the pool as they are', () => {
    const { logits, features, extras } = forward({}, images(), pass(true, { mix: 'stage1' }));
    expect(seen.pop()).toBe(4);
    expect([values(logits), values(features)]).toEqual([
      [5, 10],
      [-5, -10],
    ]);
    expect(values(extras!['regmixup/plain'])).toEqual([10, 20]);
  });

  test('where nothing mixes, has them once, and in prediction nothing else', () => {
    const { logits, extras } = forward({}, images(), pass(true, {}));
    expect(extras!['regmixup/plain']).toBe(logits);
    expect(forward({}, images(), pass(false, { mix: 'stage1' })).extras).toBeUndefined();
  });
});

test('needs a mixer, and refuses what takes outputs apart too', async () => {
  expect(await messageOfError(async () => compose([regmixup()], smallInfo()))).toContain('mix');
  expect(await messageOfError(async () => compose([mixup(), regmixup(), bcl()], smallInfo()))).toContain('branches');
});
