import { afterEach, expect, test, vi } from 'vitest';
import { benchEpoch, openStepBench, recordStepBench } from '../../src/bench/step.ts';
import { pluginsNamed } from '../step/plugin-training.ts';
import { describeDevice, plugin } from './support.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describeDevice('the bench on a device', () => {
  test('measures steps and an epoch, from recordings without TensorFlow', async () => {
    vi.stubEnv('TAILMIX_PJRT', plugin);
    const step = {
      model: 'mlp' as const,
      batch: 16,
      imageSize: 8,
      classes: 10,
      precision: 'fp32' as const,
      step: 'captured' as const,
      plugins: await pluginsNamed(['mixup', 'remix']),
    };
    const recordings = await recordStepBench(step);
    const there = { ...step, recordings, device: 'pjrt', backend: 'wasm' as const };
    const bench = await openStepBench(there);
    for (const work of ['train', 'predict'] as const) expect(bench.time(work, 4)).toBeGreaterThan(0);
    expect(bench.describe()).toMatchObject({ device: 'cpu', stepMode: 'captured', customOpsReason: null, batch: 16 });
    await bench.close();
    expect((await benchEpoch({ ...there, workers: 0 })).imagesPerSecond).toBeGreaterThan(0);
    // The cases are other steps: each needs recordings of its own.
    await expect(openStepBench({ ...there, batch: 8 })).rejects.toMatchObject({ code: 'RECORDING_LACKS' });
  });
});
