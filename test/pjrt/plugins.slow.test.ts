import { afterEach, expect, test, vi } from 'vitest';
import { registry } from '../../plugins/index.ts';
import type { Snapshot } from '../../src/run.ts';
import type { TrainerOptions } from '../../src/train/trainer.ts';
import { mapValues } from '../../src/util/map-values.ts';
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

/** Plugins whose state eager itself leaves behind by more, with weights moved by their last bit: 4.0e-4 was seen. */
const PARTING: Readonly<Record<string, number>> = { paco: 4e-4 };

describeDevice('21 steps on a device as eager', () => {
  test.each(Object.keys(registry))('%s', async (name) => {
    const { first, losses, state } = await distances(modelFor(await pluginsNamed([name])), withMixer(name), 0.01);
    expect(first).toBeLessThan(1e-6);
    expect(losses).toBeLessThan(1e-5);
    expect(state).toBeLessThan(PARTING[name] ?? 1e-5);
  });
});

/** How far the state of a step is apart where one ReLU turns in the one and not in the other: 1e-3 was seen, in eager too. */
const ONE_RELU = 2e-3;

/** Every weight moved by one unit in its last place or two, up or down. */
function nudged(snapshot: Snapshot): Snapshot {
  const move = (value: number, i: number): number => value * (1 + ((i * 7919) % 13 > 5 ? 1.2e-7 : -1.2e-7));
  const state = mapValues(snapshot.state, ({ shape, values }, name) => ({
    shape,
    values: name.endsWith('kernel') ? values.map(move) : values,
  }));
  return { ...snapshot, state };
}

// A ReLU whose input is near 0 turns round, and the runs part: so far that eager is as far from itself (docs/devices.md).
describeDevice('a ResNet-32 on a device is as near to eager as eager with weights moved by their last bit', () => {
  test.each(combinations)('%s', { timeout: 600_000 }, async (_, names) => {
    vi.stubEnv('TAILMIX_PJRT', plugin);
    const resnet = (device: 'cpu' | 'pjrt', resume?: Snapshot) =>
      train(device === 'cpu' ? 'eager' : 'auto', { name: 'resnet32' }, names, 'fp32', 0.001, device, {
        epochs: 1,
        ...(resume && { resume }),
      });
    const eager = await resnet('cpu');
    const moved = await resnet('cpu', nudged(eager.begun));
    const device = await resnet('pjrt');
    expect(device.ran).toMatch(/^captured fp32 on ./);
    expect(device.losses).toHaveLength(3);
    const apart = ({ losses, first }: typeof eager) => ({
      loss: Math.abs(losses[0]! / eager.losses[0]! - 1),
      losses: relativeDistance({ losses }, { losses: eager.losses }),
      first: relativeDistance(first, eager.first),
    });
    const [here, there] = [apart(device), apart(moved)];
    expect(here.loss).toBeLessThan(1e-5);
    expect(here.first).toBeLessThan(Math.max(ONE_RELU, 2 * there.first));
    expect(here.losses).toBeLessThan(Math.max(ONE_RELU, 2 * there.losses));
  });
});
