import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { defineDataset } from '../dataset.ts';
import { datasetMissing } from '../errors.ts';
import { dataRoot } from '../root.ts';
import type { DatasetInfo } from '../types.ts';
import { readCifarFiles } from './cifar-binary.ts';

const classes = `
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree
wolf woman worm`
  .trim()
  .split(/\s+/);

const info: DatasetInfo = {
  name: 'cifar100',
  classes,
  shape: [32, 32, 3],
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.2023, 0.1994, 0.201],
  fullCounts: classes.map(() => 500),
  testCount: 10_000,
};

const layout = { labelBytes: 2, labelAt: 1, classCount: 100 };

/**
 * CIFAR-100 (Krizhevsky 2009) by its 100 fine labels, from the official binary files. Mean and standard deviation are
 * CIFAR-10's, as in the long-tail literature (Cao et al. 2019).
 */
export const cifar100 = defineDataset({
  name: 'cifar100',
  profile: 'exp',
  augment: [
    { name: 'pad-crop', padding: 4 },
    { name: 'flip', probability: 0.5 },
  ],
  describe: () => info,
  async read({ root }) {
    const folder = find(dataRoot(root));
    if (folder === null) throw datasetMissing('cifar100', dataRoot(root), layouts);
    return {
      info,
      train: await readCifarFiles('train', folder, ['train.bin'], { ...layout, recordsPerFile: 50_000 }),
      test: await readCifarFiles('test', folder, ['test.bin'], { ...layout, recordsPerFile: 10_000 }),
      skipped: [],
    };
  },
});

const layouts = ['cifar-100-binary/train.bin', 'train.bin'];

/** Looks in the root and in `cifar100/` below it. */
function find(root: string): string | null {
  const folders = [root, join(root, 'cifar100')].flatMap((base) => [base, join(base, 'cifar-100-binary')]);
  return folders.find((folder) => existsSync(join(folder, 'train.bin'))) ?? null;
}
