import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { defineDataset } from '../dataset.ts';
import { datasetMissing } from '../errors.ts';
import { dataRoot } from '../root.ts';
import type { DatasetInfo } from '../types.ts';
import { readCifarFiles } from './cifar-binary.ts';
import { scaledWhenRead } from './scaled.ts';

const fine = `
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree
wolf woman worm`
  .trim()
  .split(/\s+/);

const coarse = `
aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices household_furniture
insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores
medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2`
  .trim()
  .split(/\s+/);

const options = z.strictObject({
  labels: z
    .enum(['fine', 'coarse'])
    .default('fine')
    .describe('Which label of an image is its class: one of 100, or of the 20 that these make up.'),
});
type Labels = z.output<typeof options>['labels'];

/** Byte of a record that holds the label, and names in label order. */
const kinds: Readonly<Record<Labels, { labelAt: number; classes: readonly string[] }>> = {
  coarse: { labelAt: 0, classes: coarse },
  fine: { labelAt: 1, classes: fine },
};

const SHAPE = [32, 32, 3] as const;

const infoOf = ({ classes }: { classes: readonly string[] }): DatasetInfo => ({
  name: 'cifar100',
  classes,
  shape: SHAPE,
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.2023, 0.1994, 0.201],
  fullCounts: classes.map(() => 50_000 / classes.length),
  testCount: 10_000,
});

/**
 * CIFAR-100 (Krizhevsky 2009) by its 100 fine labels or its 20 coarse ones, from the official binary files. Mean and
 * standard deviation are CIFAR-10's, as in the long-tail literature (Cao et al. 2019).
 */
export const cifar100 = defineDataset({
  name: 'cifar100',
  options,
  profile: 'exp',
  augment: [
    { name: 'pad-crop', padding: 4 },
    { name: 'flip', probability: 0.5 },
  ],
  describe: (data) => ({ ...infoOf(kinds[data.options.labels]), ...scaledWhenRead(SHAPE, data).sizes }),
  async read(data) {
    const {
      root,
      options: { labels },
    } = data;
    const folder = find(dataRoot(root));
    if (folder === null) throw datasetMissing('cifar100', dataRoot(root), layouts);
    const { labelAt, classes } = kinds[labels];
    const layout = { labelBytes: 2, labelAt, classCount: classes.length };
    const { sizes, scaled } = scaledWhenRead(SHAPE, data);
    return {
      info: { ...infoOf(kinds[labels]), ...sizes },
      train: scaled(await readCifarFiles('train', folder, ['train.bin'], { ...layout, recordsPerFile: 50_000 })),
      test: scaled(await readCifarFiles('test', folder, ['test.bin'], { ...layout, recordsPerFile: 10_000 })),
    };
  },
});

const layouts = ['cifar-100-binary/train.bin', 'train.bin'];

/** Looks in the root and in `cifar100/` below it. */
function find(root: string): string | null {
  const folders = [root, join(root, 'cifar100')].flatMap((base) => [base, join(base, 'cifar-100-binary')]);
  return folders.find((folder) => existsSync(join(folder, 'train.bin'))) ?? null;
}
