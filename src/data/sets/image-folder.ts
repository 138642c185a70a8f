import { join } from 'node:path';
import { defineDataset } from '../dataset.ts';
import { folderMissing } from '../errors.ts';
import type { DataOptions } from '../options.ts';
import { decodeOptions, type Sizes, sizesOf } from '../packed/image-size.ts';
import { readClassFolders } from '../packed/pack-images.ts';
import { dataRoot } from '../root.ts';
import { countLabels } from '../subset.ts';
import type { ImageInfo } from '../types.ts';
import { type ClassFolders, folderExists, listClassFolders } from './class-folders.ts';

/**
 * Any images in class folders: `train/<class>/…` and `test/<class>/…` (or `val/`) under the root. Its classes are as
 * unequal as they are unless a profile is asked for. Mean and standard deviation default to ImageNet's.
 */
export const imageFolder = defineDataset({
  name: 'image-folder',
  profile: 'none',
  augment: [],
  async describe(options) {
    const { train, test } = list(options);
    const fullCounts = countLabels(
      train.files.map(({ label }) => label),
      train.classes.length,
    );
    return { ...infoOf(train, await sizesOf(train, options)), fullCounts, testCount: test.files.length };
  },
  async read(options, context) {
    const { train, test } = list(options);
    const sizes = await sizesOf(train, options);
    const decode = decodeOptions(sizes, options);
    return {
      info: infoOf(train, sizes),
      train: await readClassFolders('train', train, decode, context),
      test: await readClassFolders('test', test, decode, context),
    };
  },
});

function list(options: DataOptions): { train: ClassFolders; test: ClassFolders } {
  const root = dataRoot(options.root);
  const train = listClassFolders(join(root, 'train'));
  const held = ['test', 'val'].find((split) => folderExists(join(root, split)));
  if (held === undefined) throw folderMissing(join(root, 'test'), 'val');
  return { train, test: listClassFolders(join(root, held), { classes: train.classes, mayLackClasses: true }) };
}

function infoOf({ classes }: ClassFolders, sizes: Sizes): ImageInfo {
  return { name: 'image-folder', classes, ...sizes, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
}
