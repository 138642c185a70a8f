import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { exportRun, loadPredictor } from 'tailmix/predict';
import { expect, test, vi } from 'vitest';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { trainedRun } from './support.ts';

const timing = vi.hoisted(() => ({ fails: false }));
vi.mock('../../src/export/latency.ts', async (original) => {
  const real = await original<typeof import('../../src/export/latency.ts')>();
  return {
    ...real,
    measureLatency: (...given: Parameters<typeof real.measureLatency>) =>
      timing.fails ? Promise.reject(new Error('no memory')) : real.measureLatency(...given),
  };
});

describeNative('the latency of an export', () => {
  test('is measured of images that are no photos, which an export has no preprocessing for', async () => {
    const folder = join(await temporaryFolder(), 'two');
    const run = await trainedRun({ model: { name: 'small-cnn', width: 4 }, shape: [12, 12, 2] });
    const exported = await exportRun(run, { format: 'tfjs', folder, measure: true, backend: 'native' });
    expect(exported.latency?.one).toBeGreaterThan(0);
    expect(exported).not.toHaveProperty('latencyMissing');
    expect((await readdir(folder)).sort()).toEqual(exported.files.map(({ path }) => path).sort());
    expect(await readdir(folder)).not.toContain('preprocessing.json');

    const predictor = await loadPredictor(folder);
    const pixels = { data: new Uint8Array(12 * 12 * 3), width: 12, height: 12, channels: 3 } as const;
    expect(await messageOfError(() => predictor.predict(pixels), folder)).toContain('images of 2 channels');
    await predictor.dispose();
  });

  test('is left out with its reason where it cannot be measured, and the export stays', async () => {
    timing.fails = true;
    const folder = join(await temporaryFolder(), 'kept');
    const run = await trainedRun({ model: { name: 'small-cnn', width: 4 }, shape: [12, 12, 3] });
    const exported = await exportRun(run, { format: 'tfjs', folder, measure: true, backend: 'native' });
    expect(exported).toMatchObject({ latency: null, latencyMissing: 'no memory' });
    expect((await readdir(folder)).sort()).toEqual(exported.files.map(({ path }) => path).sort());
  });
});
