import { join } from 'node:path';
import { defineDataset } from '../dataset.ts';
import { datasetMissing } from '../errors.ts';
import { readClassFolders } from '../packed/pack-images.ts';
import { dataRoot } from '../root.ts';
import { countLabels } from '../subset.ts';
import type { DatasetInfo } from '../types.ts';
import { type ClassFolders, folderExists, listClassFolders } from './class-folders.ts';
import { scaledWhenRead } from './scaled.ts';

const info: DatasetInfo = {
  name: 'cinic10',
  classes: ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'],
  shape: [32, 32, 3],
  mean: [0.47889522, 0.47227842, 0.43047404],
  std: [0.24205776, 0.23828046, 0.25874835],
  fullCounts: Array.from({ length: 10 }, () => 9000),
  testCount: 90_000,
};

/**
 * CINIC-10 (Darlow et al. 2018) from its class folders `train/<class>/…`, `valid/<class>/…`. A run trains on `train` and
 * is evaluated on `valid`, as Chou et al. 2020 do; `test`, which contains the test images of CIFAR-10, is not read.
 */
export const cinic10 = defineDataset({
  name: 'cinic10',
  profile: 'exp',
  augment: [
    { name: 'pad-crop', padding: 4 },
    { name: 'flip', probability: 0.5 },
  ],
  describe(data) {
    const place = find(dataRoot(data.root));
    const { sizes } = scaledWhenRead(info.shape, data);
    if (place === null) return { ...info, ...sizes };
    const fullCounts = countLabels(
      place.train.files.map(({ label }) => label),
      info.classes.length,
    );
    return { ...info, ...sizes, fullCounts, testCount: place.valid.files.length };
  },
  async read(data, context) {
    const { root, exif = 'honour', onCorrupt } = data;
    const place = find(dataRoot(root));
    if (place === null) throw datasetMissing('cinic10', dataRoot(root), layouts);
    const decode = { shape: info.shape, resize: null, exif, onCorrupt };
    const { sizes, scaled } = scaledWhenRead(info.shape, data);
    const train = scaled(await readClassFolders('train', place.train, decode, context));
    const test = scaled(await readClassFolders('test', place.valid, decode, context));
    return { info: { ...info, ...sizes }, train, test };
  },
});

const layouts = ['train/<class>/<image> and valid/<class>/<image>', 'the same in CINIC-10/'];

/** Looks in the root, in `cinic10/` and `CINIC-10/` below it. */
function find(root: string): { train: ClassFolders; valid: ClassFolders } | null {
  const bases = [root, join(root, 'cinic10'), join(root, 'CINIC-10')];
  const base = bases.find((folder) => folderExists(join(folder, 'train')) && folderExists(join(folder, 'valid')));
  if (base === undefined) return null;
  const list = (split: string): ClassFolders => listClassFolders(join(base, split), { classes: info.classes });
  return { train: list('train'), valid: list('valid') };
}
