import { symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { nativeFolder } from '../../src/backend/paths.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { describeDevice, plugin } from './support.ts';

describeDevice('a run on features', () => {
  test('computes them on the device, and keeps them apart from those of the processor and of tf32', async () => {
    vi.stubEnv('TAILMIX_PJRT', plugin);
    const [cache, native] = [await temporaryFolder(), nativeFolder('native')];
    await symlink(native, join(cache, basename(native)));
    vi.stubEnv('TAILMIX_CACHE', cache);
    const splits = async (train: Pick<NonNullable<TrainerOptions['train']>, 'device' | 'matmul'>) => {
      const computed = new Set<string>();
      await createTrainer({
        data: { name: 'blobs', ratio: 5, workers: 0, features: true },
        model: { name: 'mlp', width: 8, freeze: ['backbone'] },
        train: { epochs: 1, batchSize: 32, ...train },
        backend: 'native',
        onDataProgress: ({ split, backbone }) => backbone !== undefined && computed.add(split),
      }).run();
      return [...computed];
    };
    const every = ['train', 'test'];
    try {
      expect(await splits({ device: 'cpu' })).toEqual(every);
      expect(await splits({ device: 'pjrt' })).toEqual(every);
      expect(await splits({ device: 'pjrt', matmul: 'tf32' })).toEqual(every);
      expect(await splits({ device: 'pjrt' })).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});
