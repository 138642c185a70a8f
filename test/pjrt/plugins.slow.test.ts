import { afterEach, expect, test, vi } from 'vitest';
import { registry } from '../../plugins/index.ts';
import type { TrainerOptions } from '../../src/train/trainer.ts';
import { relativeDistance } from '../step/captured-support.ts';
import { combinations, pluginsNamed, train, withMixer } from '../step/plugin-training.ts';
import { modelFor } from '../support/tiny-transformer.ts';
import { describeDevice, plugin } from './support.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Relative L2 distances from eager, after so many steps. */
async function distances(model: TrainerOptions['model'], names: readonly string[], learningRate: number) {
  vi.stubEnv('TAILMIX_PJRT', plugin);
  const eager = await train('eager', model, names, 'fp32', learningRate);
  const device = await train('auto', model, names, 'fp32', learningRate, 'pjrt');
  expect(eager.ran).toBe('eager fp32');
  expect(device.ran).toMatch(/^captured fp32 on ./);
  expect(device.losses).toHaveLength(21);
  expect(Object.keys(device.state)).toEqual(Object.keys(eager.state));
  return {
    first: Math.abs(device.losses[0]! / eager.losses[0]! - 1),
    losses: relativeDistance({ losses: device.losses }, { losses: eager.losses }),
    state: relativeDistance(device.state, eager.state),
  };
}

describeDevice('21 steps on a device as eager', () => {
  test.each(Object.keys(registry))('%s', async (name) => {
    const { first, losses, state } = await distances(modelFor(await pluginsNamed([name])), withMixer(name), 0.01);
    expect(first).toBeLessThan(1e-6);
    expect(losses).toBeLessThan(1e-5);
    expect(state).toBeLessThan(1e-5);
  });

  // Sums round otherwise, and a ReLU that turns round goes on from there: docs/devices.md.
  test.each(combinations)('ResNet-32, %s', async (_, names) => {
    const { first, losses, state } = await distances({ name: 'resnet32' }, names, 0.001);
    expect(first).toBeLessThan(1e-5);
    expect(losses).toBeLessThan(1e-3);
    expect(state).toBeLessThan(1e-3);
  });
});
