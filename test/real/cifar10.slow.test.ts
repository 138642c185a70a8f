import { mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import drw from '../../plugins/drw/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import remix from '../../plugins/remix/index.ts';
import { whyNotNative } from '../../src/backend/native.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { cifar10Folders } from '../support/cifar10.ts';
import { temporaryFolder } from '../support/temporary.ts';

const images = await cifar10Folders();
const native = whyNotNative('native');
if (native !== null) console.warn(`SKIPPED: real CIFAR-10 is trained on the native backend only: ${native}`);

/** The first images of each class, in the same layout. */
async function fewImages(root: string, counts: Readonly<Record<string, number>>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [split, count] of Object.entries(counts)) {
    for (const name of await readdir(join(root, split))) {
      await mkdir(join(folder, split, name), { recursive: true });
      const files = (await readdir(join(root, split, name))).sort().slice(0, count);
      await Promise.all(files.map((file) => symlink(join(root, split, name, file), join(folder, split, name, file))));
    }
  }
  return folder;
}

test.skipIf(images === null || native !== null)(
  'ResNet-32 with Remix-DRW learns from real CIFAR-10 images, captured',
  async () => {
    const root = await fewImages(images!, { train: 400, test: 50 });
    const { summary, epochs } = await createTrainer({
      data: {
        name: 'image-folder',
        root,
        profile: 'exp',
        ratio: 10,
        augment: [{ name: 'pad-crop' }, { name: 'flip' }],
      },
      model: { name: 'resnet32' },
      plugins: [mixup(), remix(), drw({ deferUntil: 0.5 })],
      train: { epochs: 8, batchSize: 32, step: 'captured', optimizer: { name: 'sgd', learningRate: 0.05 } },
      evaluate: { every: 8, batchSize: 100 },
      backend: 'native',
    }).run();
    expect(summary).toMatchObject({
      backend: 'native',
      stepMode: 'captured',
      status: 'finished',
      last: { count: 500 },
    });
    expect(summary.classCounts).toEqual([400, 309, 239, 185, 143, 111, 86, 66, 51, 40]);
    expect(epochs[2]!.train.loss).toBeLessThan(epochs[0]!.train.loss);
    expect(summary.last!.accuracy).toBeGreaterThan(0.15);
  },
  240_000,
);
