import { expect, test } from 'vitest';
import { loadBackend } from '../../src/backend/load.ts';
import { distanceTo } from '../models/reference.ts';
import { describeNative } from './captured-support.ts';
import { apart, cases, expectSame, named, reference, TOLERANCE, train } from './pytorch-training.ts';

test('the reference can tell: float32 of PyTorch is well within the tolerance, and the steps well beyond it', () => {
  for (const { name, float32 } of reference.cases) {
    for (const { moved, ...floor } of Object.values(float32)) {
      expect(Math.max(...Object.values(floor)), name).toBeLessThan(TOLERANCE / 3);
      expect(moved, name).toBeGreaterThan(TOLERANCE);
    }
  }
});

describeNative('ResNet-32 after 1 and 10 steps as in PyTorch (test/reference/training.py)', (use) => {
  test.each(cases)('captured: %s', async (_, example) => {
    const trained = await train(example, use(), 'captured');
    expectSame(trained, example, 1);
    expectSame(trained, example, reference.steps.length);
    expect(distanceTo(example.logits, 'logits', trained.logits)).toBeLessThan(TOLERANCE);
    for (const { what, change } of example.wrong) {
      expect(apart(trained, reference.steps.length, change).tensor, what).toBeGreaterThan(3 * TOLERANCE);
    }
  });

  test.each(['Remix-DRW', 'Remix-LDAM-DRW', 'Remix-CM, 4 replicas'])('eager: %s', async (name) => {
    const trained = await train(named(name), use(), 'eager');
    for (const step of [1, reference.steps.length]) expectSame(trained, named(name), step);
  });
});

test('ResNet-32 after one step on WebAssembly', async () => {
  const trained = await train(named('Remix-CM'), await loadBackend('wasm'), 'eager', { count: 1 });
  expectSame(trained, named('Remix-CM'), 1);
});
