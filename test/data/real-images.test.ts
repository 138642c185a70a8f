import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DataInput } from '../../src/data/options.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { cifar10Folders } from '../support/cifar10.ts';
import { temporaryFolder } from '../support/temporary.ts';

const classes = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
const real = await cifar10Folders();

describe.skipIf(real === null)('real images of CIFAR-10', () => {
  test('train the same through image-folder, CINIC-10’s layout and CIFAR-10’s class folders', async () => {
    const root = await temporaryFolder();
    for (const [from, count, places] of [
      ['train', 60, ['folder/train', 'cinic10/train']],
      ['test', 20, ['folder/test', 'cinic10/valid', 'cinic10/test']],
    ] as const) {
      for (const name of classes) {
        const files = (await readdir(join(real!, from, name))).sort().slice(0, count);
        for (const place of places) {
          await mkdir(join(root, place, name), { recursive: true });
          for (const file of files) await copyFile(join(real!, from, name, file), join(root, place, name, file));
        }
      }
    }
    const train = async (data: DataInput) => {
      const { summary, epochs } = await createTrainer({
        data: {
          ...data,
          profile: 'exp',
          ratio: 10,
          augment: [{ name: 'pad-crop' }, { name: 'flip' }],
          mean: [0.5, 0.5, 0.5],
          std: [0.25, 0.25, 0.25],
        },
        model: { name: 'small-cnn' },
        train: { epochs: 3, batchSize: 32, optimizer: { name: 'sgd', learningRate: 0.02 } },
      }).run();
      return {
        classes: summary.classes,
        counts: summary.classCounts,
        subset: summary.subsetHash,
        epochs: epochs.map(({ train: own, test: held }) => [own.loss, held!.accuracy]),
      };
    };
    const folder = await train({ name: 'image-folder', root: join(root, 'folder') });
    expect(folder.classes).toEqual(classes);
    expect(folder.counts).toEqual([60, 46, 35, 27, 21, 16, 12, 10, 7, 6]);
    expect(folder.epochs[2]![0]).toBeLessThan(folder.epochs[0]![0]!);
    expect(await train({ name: 'cinic10', root })).toEqual(folder);
    expect(await train({ name: 'cifar10', root: join(root, 'folder') })).toEqual(folder);
  });
});
