import { join } from 'node:path';
import { defineDataset } from '../dataset.ts';
import { folderMissing, splitUnsaid } from '../errors.ts';
import type { DataOptions } from '../options.ts';
import { chooseSizes, decodeOptions } from '../packed/image-size.ts';
import { readClassFolders } from '../packed/pack-images.ts';
import { dataRoot } from '../root.ts';
import { countLabels } from '../subset.ts';
import { type ClassFolders, folderExists, holdsFolders, listClassFolders } from './class-folders.ts';
import { HELD_OUT, heldOut } from './held-out.ts';
import { leftOutNotes } from './left-out.ts';
import { photoInfo } from './photo-info.ts';

/**
 * Any images in class folders: `train/<class>/…` and `test/<class>/…` under the root, and `val/<class>/…` for validation;
 * without `test/`, `val/` is the test set. With `data.split.test` also class folders alone, `<class>/…`. Its classes are as
 * unequal as they are unless a profile is asked for. Mean and standard deviation default to ImageNet's.
 */
export const imageFolder = defineDataset({
  name: 'image-folder',
  profile: 'none',
  augment: [],
  async describe(options) {
    const { train, validation, test, notes } = list(options);
    const sizes = await chooseSizes(train, options);
    const fullCounts = countLabels(
      train.files.map(({ label }) => label),
      train.classes.length,
    );
    return {
      ...photoInfo('image-folder', train.classes, sizes, notes),
      fullCounts,
      testCount: test?.files.length ?? 0,
      ...(validation && { validationCount: validation.files.length }),
    };
  },
  async read(options, context) {
    const { train, validation, test, notes } = list(options);
    const sizes = await chooseSizes(train, options);
    const decode = decodeOptions(sizes, options);
    return {
      info: photoInfo('image-folder', train.classes, sizes, notes),
      train: await readClassFolders('train', train, decode, context),
      ...(validation && { validation: await readClassFolders('validation', validation, decode, context) }),
      ...(test && { test: await readClassFolders('test', test, decode, context) }),
    };
  },
});

interface Listed {
  train: ClassFolders;
  validation: ClassFolders | null;
  test: ClassFolders | null;
  notes: string[];
}

function list(options: DataOptions): Listed {
  const root = dataRoot(options.root);
  const isTestCut = (options.split?.test ?? 0) > 0;
  // Without folders in it, `train` may be a class: of vehicles.
  const isDivided = isTestCut ? holdsFolders(join(root, 'train')) : folderExists(join(root, 'train'));
  if (!isDivided) return listUndivided(root, isTestCut);
  const train = listClassFolders(join(root, 'train'));
  const { test, validation, notes } = heldOut(root, (split) => folderExists(join(root, split)), isTestCut);
  if (test === null && !isTestCut) throw folderMissing(join(root, 'test'), 'val');
  const listed = (split: string): ClassFolders =>
    listClassFolders(join(root, split), { classes: train.classes, mayLackClasses: true });
  const held = { validation: validation && listed(validation), test: test && listed(test) };
  const lists = [train, held.validation, held.test].flatMap((own) => own?.leftOut ?? []);
  return { train, ...held, notes: [...notes, ...leftOutNotes(lists)] };
}

/** Class folders without splits. */
function listUndivided(root: string, isTestCut: boolean): Listed {
  const held = HELD_OUT.find((split) => holdsFolders(join(root, split)));
  if (held !== undefined || !holdsFolders(root)) throw folderMissing(join(root, 'train'));
  const train = listClassFolders(root, { dropEmpty: true });
  if (!isTestCut) throw splitUnsaid(root, train.classes);
  return { train, validation: null, test: null, notes: leftOutNotes([train.leftOut]) };
}
