import { expect, test } from 'vitest';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { openGraph, toStandardConvolutions } from '../../src/graph/index.ts';
import { openProgram } from '../../src/pjrt/index.ts';
import { openFloat64 } from '../support/float64.ts';
import { apart, trained } from '../support/network-steps.ts';
import { describeDevice } from './support.ts';

describeDevice('a network on a device, in float64', (use) => {
  test('ResNet-32 with Remix is within 1e-11 of TensorFlow after ten steps', { timeout: 600_000 }, () => {
    const { backend, device } = use();
    const given = {
      model: 'resnet32',
      plugins: () => [mixup({ alpha: 1 }), remix()],
      learningRate: 0.05,
      steps: 10,
    } as const;
    const onCpu = trained(given, {}, (program) =>
      openFloat64(program, (wide, rewrite) => openGraph(wide, backend, { rewrite })),
    );
    const onDevice = trained(given, {}, (program) =>
      openFloat64(program, (wide, rewrite) => openProgram(wide, backend, device, { rewrite })),
    );
    const [float64, float32] = [
      onDevice,
      trained(given, {}, (program) => openProgram(program, backend, device, { rewrite: toStandardConvolutions })),
    ].map((found) => apart(found, onCpu));
    console.info(`from TensorFlow in float64: ${float64!.toExponential(1)}, in float32 ${float32!.toExponential(1)}`);
    expect(float64).toBeLessThan(1e-11);
    // The same lowering, rounded otherwise.
    expect(float32).toBeGreaterThan(1e-6);
  });
});
