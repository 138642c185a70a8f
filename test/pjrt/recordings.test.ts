import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { openRecordings, writeRecordings } from '../../src/graph/index.ts';
import { recordRun } from '../../src/train/record.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { relativeDistance } from '../step/captured-support.ts';
import { pluginsNamed } from '../step/plugin-training.ts';
import { squares } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { describeDevice, describeDevices, plugin } from './support.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const run = async (more: Partial<TrainerOptions> = {}): Promise<TrainerOptions> => ({
  data: { ...squares([10, 4, 3, 2]), validation: squares().test },
  model: { name: 'small-cnn' },
  plugins: await pluginsNamed(['mixup', 'remix', 'ema']),
  ...more,
  train: { epochs: 3, batchSize: 8, optimizer: { name: 'sgd', learningRate: 0.01 }, ...more.train },
});

/** Recordings as they come out of a file. */
async function recorded(options: TrainerOptions, devices?: number) {
  const file = join(await temporaryFolder(), 'run.recording');
  writeFileSync(file, writeRecordings(await recordRun({ ...options, backend: 'native' }, devices)));
  return openRecordings(file);
}

/** Without TensorFlow: no step of WebAssembly is captured. */
async function trainKept(options: TrainerOptions, device = 'pjrt', devices?: number) {
  const recordings = await recorded(options, devices);
  return createTrainer({ ...options, recordings, backend: 'wasm', train: { ...options.train, device } }).run();
}
const trainHere = (options: TrainerOptions, device = 'pjrt') =>
  createTrainer({ ...options, backend: 'native', train: { ...options.train, device } }).run();

describeDevice('a run from recordings, without TensorFlow', () => {
  test('is to the bit the run that is recorded here, resumed too', async () => {
    vi.stubEnv('TAILMIX_PJRT', plugin);
    const options = await run();
    const [kept, here] = [await trainKept(options), await trainHere(options)];
    expect(kept.summary).toMatchObject({ backend: 'wasm', stepMode: 'captured', device: 'cpu' });
    expect(kept.snapshot!.state).toEqual(here.snapshot!.state);
    expect(kept.summary.last).toEqual(here.summary.last);
    const begun = await trainKept(await run({ until: 2 }));
    const resumed = await trainKept(await run({ resume: begun.snapshot! }));
    expect(resumed.snapshot!.state).toEqual(here.snapshot!.state);
  });

  test('of each phase', async () => {
    vi.stubEnv('TAILMIX_PJRT', plugin);
    const phases = [
      { epochs: 2, plugins: await pluginsNamed(['mixup']) },
      { epochs: 1, plugins: await pluginsNamed(['lws']), model: { freeze: ['backbone' as const] } },
    ];
    const options = await run({ plugins: [], phases });
    const [kept, here] = [await trainKept(options), await trainHere(options)];
    expect(kept.snapshot!.state).toEqual(here.snapshot!.state);
  });

  test('begins with what a plugin computes on the processor before the first step; without recordings it is refused', async () => {
    vi.stubEnv('TAILMIX_PJRT', plugin);
    const model = { name: 'small-cnn', head: 'cosine', scale: 25 } as const;
    const options = await run({ model, plugins: await pluginsNamed(['class-mean-head']), train: { epochs: 1 } });
    const [kept, here] = [await trainKept(options), await trainHere(options)];
    // Features of WebAssembly round otherwise.
    const kernel = ({ snapshot }: typeof kept) => ({ kernel: snapshot!.state['classifier/kernel']!.values });
    expect(relativeDistance(kernel(kept), kernel(here))).toBeLessThan(1e-5);
    const unrecorded = createTrainer({ ...options, backend: 'wasm', train: { ...options.train, device: 'pjrt' } });
    await expect(unrecorded.run()).rejects.toMatchObject({
      code: 'DEVICE_RECORDER',
      message: expect.stringContaining('--recording FILE'),
    });
  });

  test('is refused with those of another run, a file that is none, and a processor', async () => {
    vi.stubEnv('TAILMIX_PJRT', plugin);
    const options = await run();
    const recordings = await recorded(options);
    const train = (more: Partial<TrainerOptions>) =>
      createTrainer({ ...options, recordings, backend: 'wasm', ...more }).run();
    await expect(train({ data: squares([9, 5, 3, 2]) })).rejects.toMatchObject({
      code: 'RECORDING_OTHER',
      message: expect.stringContaining('images of each class was 10 4 3 2, and is 9 5 3 2 now'),
    });
    await expect(train({ train: { ...options.train, batchSize: 4 } })).rejects.toMatchObject({
      code: 'RECORDING_LACKS',
      message: expect.stringContaining('expected "train" of 4 rows, mix input, which they do not hold'),
    });
    await expect(train({ train: { ...options.train, device: 'cpu' } })).rejects.toMatchObject({
      code: 'DEVICE_SETTING',
    });
    const file = join(await temporaryFolder(), 'other');
    await expect(openRecordings(file)).rejects.toMatchObject({ code: 'RECORDING_UNREADABLE' });
    for (const bytes of [Buffer.from('{}'), writeRecordings({ facts: {}, programs: [] }).subarray(0, 30)]) {
      writeFileSync(file, bytes);
      await expect(openRecordings(file)).rejects.toMatchObject({ code: 'RECORDING_UNREADABLE' });
    }
  });
});

describeDevices('replicas that several devices will share', () => {
  test('are recorded for so many', async () => {
    vi.stubEnv('TAILMIX_PJRT', plugin);
    const options = await run({ train: { replicas: 2, dropLast: true } });
    const [kept, here] = [await trainKept(options, 'pjrt:0,1', 2), await trainHere(options, 'pjrt:0,1')];
    expect(kept.summary.device).toBe('cpu × 2');
    expect(kept.snapshot!.state).toEqual(here.snapshot!.state);
    await expect(trainKept(options, 'pjrt:0,1', 1)).rejects.toMatchObject({ code: 'RECORDING_LACKS' });
  });
});
