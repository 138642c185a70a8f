import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../errors.ts';
import { defineDataset } from '../dataset.ts';
import { badFile, datasetMissing, readFailed } from '../errors.ts';
import type { DataOptions } from '../options.ts';
import { readClassFolders } from '../packed/pack-images.ts';
import { dataRoot } from '../root.ts';
import { countLabels } from '../subset.ts';
import type { DatasetInfo } from '../types.ts';
import { readCifarFiles } from './cifar-binary.ts';
import { type ClassFolders, folderExists, listClassFolders } from './class-folders.ts';
import { heldOut } from './held-out.ts';
import { scaledWhenRead } from './scaled.ts';

const info: DatasetInfo = {
  name: 'cifar10',
  classes: ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'],
  shape: [32, 32, 3],
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.2023, 0.1994, 0.201],
  fullCounts: Array.from({ length: 10 }, () => 5000),
  testCount: 10_000,
};

const trainFiles = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`);
const testFiles = ['test_batch.bin'];
const layout = { labelBytes: 1, labelAt: 0, classCount: 10, recordsPerFile: 10_000 };

/** Where the images lie: the official binary files, or class folders. */
type Place =
  | { kind: 'binary'; folder: string }
  | {
      kind: 'folders';
      train: ClassFolders;
      validation: ClassFolders | null;
      test: ClassFolders | null;
      notes: string[];
    };

/**
 * CIFAR-10 (Krizhevsky 2009) from the official binary files, or from class folders `train/<class>/…`, `test/<class>/…`.
 * Mean and standard deviation are those of the long-tail literature (Cao et al. 2019).
 */
export const cifar10 = defineDataset({
  name: 'cifar10',
  profile: 'exp',
  augment: [
    { name: 'pad-crop', padding: 4 },
    { name: 'flip', probability: 0.5 },
  ],
  describe(data) {
    const place = find(data);
    const found = infoOf(place?.kind === 'folders' ? place.notes : [], data);
    if (place?.kind !== 'folders') return found;
    const fullCounts = countLabels(
      place.train.files.map(({ label }) => label),
      info.classes.length,
    );
    const { validation, test } = place;
    return {
      ...found,
      fullCounts,
      testCount: test?.files.length ?? 0,
      ...(validation && { validationCount: validation.files.length }),
    };
  },
  async read(data, context) {
    const { root, exif = 'honour', onCorrupt } = data;
    const { scaled } = scaledWhenRead(info.shape, data);
    const place = find(data);
    if (place === null) throw datasetMissing('cifar10', dataRoot(root), layouts);
    if (place.kind === 'binary') {
      return {
        info: { ...infoOf([], data), classes: await readClassNames(place.folder) },
        train: scaled(await readCifarFiles('train', place.folder, trainFiles, layout)),
        test: scaled(await readCifarFiles('test', place.folder, testFiles, layout)),
      };
    }
    const decode = { shape: info.shape, resize: null, exif, onCorrupt };
    const { validation, test } = place;
    return {
      info: infoOf(place.notes, data),
      train: scaled(await readClassFolders('train', place.train, decode, context)),
      ...(validation && { validation: scaled(await readClassFolders('validation', validation, decode, context)) }),
      ...(test && { test: scaled(await readClassFolders('test', test, decode, context)) }),
    };
  },
});

function infoOf(own: readonly string[], data: Partial<DataOptions>): DatasetInfo {
  const { notes = [], ...sizes } = scaledWhenRead(info.shape, data).sizes;
  const all = [...own, ...notes];
  return { ...info, ...sizes, ...(all.length > 0 && { notes: all }) };
}

const layouts = ['cifar-10-batches-bin/data_batch_1.bin', 'train/<class>/<image>'];

/** Looks in the root and in `cifar10/` below it; class folders at the root may be those of another set. */
function find({ root: given, split }: Pick<DataOptions, 'root' | 'split'>): Place | null {
  const root = dataRoot(given);
  const isTestCut = (split?.test ?? 0) > 0;
  const bases = [root, join(root, 'cifar10')];
  const binary = bases
    .flatMap((base) => [base, join(base, 'cifar-10-batches-bin')])
    .find((folder) => existsSync(join(folder, trainFiles[0]!)));
  if (binary !== undefined) return { kind: 'binary', folder: binary };
  const base = bases.find((folder) => folderExists(join(folder, 'train')));
  if (base === undefined) return null;
  const list = (name: string): ClassFolders => listClassFolders(join(base, name), { classes: info.classes });
  const { test, validation, notes } = heldOut(base, (name) => folderExists(join(base, name)), isTestCut);
  return {
    kind: 'folders',
    train: list('train'),
    validation: validation && list(validation),
    test: test === null && isTestCut ? null : list(test ?? 'test'),
    notes,
  };
}

async function readClassNames(folder: string): Promise<readonly string[]> {
  const path = join(folder, 'batches.meta.txt');
  if (!existsSync(path)) return info.classes;
  const found = await stat(path);
  if (!found.isFile() || found.size > 4096) throw badFile(path, 'a file of 10 class names', 'something else');
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw readFailed(path, messageOf(error), error);
  });
  const names = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (names.length !== 10) throw badFile(path, '10 class names', String(names.length));
  return names.map((name) => name.trim());
}
