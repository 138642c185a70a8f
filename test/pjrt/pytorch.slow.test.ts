import { afterEach, expect, test, vi } from 'vitest';
import { type Backend, loadBackend } from '../../src/backend/load.ts';
import { distanceTo } from '../models/reference.ts';
import { apart, cases, expectSame, named, reference, TOLERANCE, train } from '../step/pytorch-training.ts';
import { describeDevice, describeDevices, plugin } from './support.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Trains a case as the script does, and compares all that it came to. */
async function expectPyTorch(example: (typeof cases)[number][1], backend: Backend, device: string): Promise<string> {
  vi.stubEnv('TAILMIX_PJRT', plugin);
  const trained = await train(example, backend, 'captured', { device });
  for (const step of [1, reference.steps.length]) expectSame(trained, example, step);
  expect(distanceTo(example.logits, 'logits', trained.logits)).toBeLessThan(TOLERANCE);
  for (const { what, change } of example.wrong)
    expect(apart(trained, reference.steps.length, change).tensor, what).toBeGreaterThan(3 * TOLERANCE);
  return trained.on!;
}

describeDevice('ResNet-32 on a device after 1 and 10 steps as in PyTorch (test/reference/training.py)', (use) => {
  test.each(cases)('%s', { timeout: 300_000 }, async (_, example) => {
    expect(await expectPyTorch(example, use().backend, 'pjrt')).toBeTruthy();
  });
});

describeDevices('on several devices', () => {
  test.each([
    ['Remix-DRW', 'pjrt:0,1', 'cpu × 2'],
    ['Remix-CM, 4 replicas', 'pjrt:all', 'cpu × 4'],
  ])('%s on %s', { timeout: 300_000 }, async (name, device, on) => {
    expect(await expectPyTorch(named(name), await loadBackend('native'), device)).toBe(on);
  });
});
