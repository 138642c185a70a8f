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
import { heldOut } from './held-out.ts';

/**
 * Any images in class folders: `train/<class>/…` and `test/<class>/…` under the root, and `val/<class>/…` for validation;
 * without `test/`, `val/` is the test set. Its classes are as unequal as they are unless a profile is asked for. Mean and
 * standard deviation default to ImageNet's.
 */
export const imageFolder = defineDataset({
  name: 'image-folder',
  profile: 'none',
  augment: [],
  async describe(options) {
    const { train, validation, test, notes } = list(options);
    const fullCounts = countLabels(
      train.files.map(({ label }) => label),
      train.classes.length,
    );
    return {
      ...infoOf(train, await sizesOf(train, options), notes),
      fullCounts,
      testCount: test.files.length,
      ...(validation && { validationCount: validation.files.length }),
    };
  },
  async read(options, context) {
    const { train, validation, test, notes } = list(options);
    const sizes = await sizesOf(train, options);
    const decode = decodeOptions(sizes, options);
    return {
      info: infoOf(train, sizes, notes),
      train: await readClassFolders('train', train, decode, context),
      ...(validation && { validation: await readClassFolders('validation', validation, decode, context) }),
      test: await readClassFolders('test', test, decode, context),
    };
  },
});

interface Listed {
  train: ClassFolders;
  validation: ClassFolders | null;
  test: ClassFolders;
  notes: string[];
}

function list(options: DataOptions): Listed {
  const root = dataRoot(options.root);
  const train = listClassFolders(join(root, 'train'));
  const { test, validation, notes } = heldOut(root, (split) => folderExists(join(root, split)));
  if (test === null) throw folderMissing(join(root, 'test'), 'val');
  const listed = (split: string): ClassFolders =>
    listClassFolders(join(root, split), { classes: train.classes, mayLackClasses: true });
  return { train, validation: validation && listed(validation), test: listed(test), notes };
}

function infoOf({ classes }: ClassFolders, sizes: Sizes, notes: readonly string[]): ImageInfo {
  const statistics = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
  return { name: 'image-folder', classes, ...sizes, ...statistics, ...(notes.length > 0 && { notes }) };
}
