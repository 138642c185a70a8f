import { chmod, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import mlflow from '../../plugins/mlflow/index.ts';
import { openRecorder } from '../../plugins/mlflow/recorder.ts';
import { samplingSeconds, startSampling } from '../../plugins/mlflow/sampling.ts';
import { systemMeter } from '../../plugins/mlflow/system.ts';
import { readSpool } from '../../src/tracking/spool/read.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { fakeRun } from '../support/tracked-run.ts';

/** Puts a program before all others. */
async function pretend(program: string, script: string): Promise<void> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, program), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, program), 0o755);
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
  onTestFinished(() => void vi.unstubAllEnvs());
}

const MACHINE = [
  'system/cpu_utilization_percentage',
  'system/disk_available_megabytes',
  'system/disk_usage_megabytes',
  'system/disk_usage_percentage',
  'system/process_memory_usage_megabytes',
  'system/system_memory_usage_megabytes',
  'system/system_memory_usage_percentage',
];
const NETWORK = ['system/network_receive_megabytes', 'system/network_transmit_megabytes'];

it('tells of the machine under the names of MLflow', async () => {
  await pretend('nvidia-smi', 'exit 9');
  const sample = systemMeter(await temporaryFolder());
  const until = Date.now() + 300;
  while (Date.now() < until);
  await delay(1);
  const figures = await sample();
  const expected = process.platform === 'linux' ? [...MACHINE, ...NETWORK] : MACHINE;
  expect(Object.keys(figures).sort()).toEqual(expected.toSorted());
  for (const [key, value] of Object.entries(figures)) {
    expect(value, key).toBeGreaterThanOrEqual(0);
    if (key.endsWith('percentage')) expect(value, key).toBeLessThanOrEqual(100);
  }
  // This process kept a processor busy all the while.
  expect(figures['system/cpu_utilization_percentage']).toBeGreaterThan(0);
  expect(figures['system/system_memory_usage_megabytes']! * 1e6).toBeCloseTo(
    (figures['system/system_memory_usage_percentage']! * totalmem()) / 100,
    -1,
  );
});

it.skipIf(process.platform === 'win32')(
  'tells of graphics cards, and leaves out what one does not measure',
  async () => {
    await pretend('nvidia-smi', "printf '0, 1000, 4000, 25, 60.50, 121.00\\n1, 0, 8000, 100, [N/A], [N/A]\\n'");
    const figures = await systemMeter('/')();
    const gpus = Object.fromEntries(Object.entries(figures).filter(([key]) => key.includes('gpu_')));
    expect(gpus).toEqual({
      'system/gpu_0_memory_usage_megabytes': 1048.576,
      'system/gpu_0_memory_usage_percentage': 25,
      'system/gpu_0_utilization_percentage': 25,
      'system/gpu_0_power_usage_watts': 60.5,
      'system/gpu_0_power_usage_percentage': 50,
      'system/gpu_1_memory_usage_megabytes': 0,
      'system/gpu_1_memory_usage_percentage': 0,
      'system/gpu_1_utilization_percentage': 100,
    });
  },
);

it('samples where it is asked to, by option or by the variables of MLflow', () => {
  const asked = { MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: 'true' };
  expect(samplingSeconds({}, {})).toBe(0);
  expect(samplingSeconds({}, { MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL: '3' })).toBe(0);
  expect(samplingSeconds({}, asked)).toBe(10);
  expect(samplingSeconds({}, { ...asked, MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL: '3' })).toBe(3);
  expect(samplingSeconds({}, { ...asked, MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL: 'no' })).toBe(10);
  expect(samplingSeconds({ system: 0 }, asked)).toBe(0);
});

it('samples until it is stopped, and not after', async () => {
  let samples = 0;
  const stop = startSampling('/', 0.02, () => samples++);
  await vi.waitFor(() => expect(samples).toBeGreaterThan(2), 20_000);
  stop();
  const before = samples;
  await delay(200);
  expect(samples).toBe(before);
});

it('a run keeps samples in its spool, and a resumed one counts on', async () => {
  const folder = await temporaryFolder();
  const steps = async (): Promise<number[]> => {
    const found: number[] = [];
    for await (const { record } of readSpool(folder))
      if (record?.type === 'metrics' && 'system/cpu_utilization_percentage' in record.values) found.push(record.step);
    return found;
  };
  const { options } = mlflow.definition;
  for (const resumed of [false, true]) {
    const before = resumed ? (await steps()).length : 0;
    const recorder = await openRecorder(fakeRun(folder), folder, options.parse({ system: 0.02 }), (error) => {
      throw error;
    });
    await vi.waitFor(async () => expect((await steps()).length).toBeGreaterThan(before + 1), 20_000);
    await recorder.close();
  }
  const all = await steps();
  expect(all).toEqual(all.map((_, i) => i));
});
