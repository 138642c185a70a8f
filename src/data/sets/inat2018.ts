import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { defineDataset } from '../dataset.ts';
import { badFile, briefJson, datasetMissing, unknownCategory } from '../errors.ts';
import { decodeOptions, givenSizes, type SizeOptions, type Sizes } from '../packed/image-size.ts';
import { readListed } from '../packed/pack-images.ts';
import { dataRoot } from '../root.ts';
import { countLabels } from '../subset.ts';
import type { CountSummary, DatasetInfo, ImageInfo, ImageList } from '../types.ts';
import { type CocoImages, readCoco } from './coco.ts';
import { forgetListings, readListing } from './listing.ts';

const CLASSES = 8142;
const SIDE = 224;
const PACKED = 256;
const NAMES = 'categories.json';

const options = z.strictObject({
  train: z.string().min(1).default('train2018.json').describe('Annotations of the training images.'),
  val: z.string().min(1).default('val2018.json').describe('Annotations of the images that a run is evaluated on.'),
});
type Options = z.output<typeof options>;

const published: CountSummary = { total: 437_513, largest: 1000, smallest: 2, source: 'train2018.json' };

const info: DatasetInfo = {
  name: 'inat2018',
  classes: Array.from({ length: CLASSES }, (_, category) => String(category)),
  shape: [SIDE, SIDE, 3],
  mean: [0.466, 0.471, 0.38],
  std: [0.195, 0.194, 0.192],
  fullCounts: published,
  testCount: 24_426,
};

/**
 * iNaturalist 2018 (Van Horn et al.): 437,513 images of 8,142 species, as unequal as they are; evaluated on the
 * validation split, three images of each. Annotations as in COCO name JPEG files below their folder; label order is the
 * order of category numbers. How many images each class has stands in `train2018.json` alone, so without that file a
 * plan says the published total and range. Mean and standard deviation are those of Park et al. 2022.
 */
export const inat2018 = defineDataset({
  name: 'inat2018',
  options,
  profile: 'none',
  augment: [
    { name: 'random-resized-crop', scale: [0.08, 1], ratio: [3 / 4, 4 / 3] },
    { name: 'flip', probability: 0.5 },
  ],
  async describe(data) {
    const folder = find(data);
    if (folder === null) return { ...info, ...sizes(data) };
    const train = await readAnnotations(join(folder, data.options.train));
    const fullCounts = countLabels(train.labels, train.categories.length);
    const empty = fullCounts.indexOf(0);
    if (empty >= 0) throw badFile(train.path, 'images of every category', `none of "${train.categories[empty]!.name}"`);
    const val = join(folder, data.options.val);
    const testCount = existsSync(val) ? (await readAnnotations(val)).files.length : info.testCount;
    return { ...(await infoOf(train, folder, data)), fullCounts, testCount };
  },
  async read(data, context) {
    const folder = find(data);
    const val = join(folder ?? '', data.options.val);
    if (folder === null || !existsSync(val))
      throw datasetMissing('inat2018', dataRoot(data.root), layouts(data.options));
    const train = await readAnnotations(join(folder, data.options.train));
    const test = await readAnnotations(val);
    const labels = new Map(train.categories.map(({ id }, label) => [id, label]));
    const decode = decodeOptions({ sizes: sizes(data), resize: true }, data);
    const list = (own: Annotations): ImageList => ({
      folder: own.path,
      base: folder,
      files: own.files.map((file, row) => {
        const { id } = own.categories[own.labels[row]!]!;
        const label = labels.get(id);
        if (label === undefined) throw unknownCategory(own.path, id, train.path);
        return { path: join(folder, file), label };
      }),
    });
    const source = ({ hash }: Annotations): string => `${folder}\0${train.hash}\0${hash}`;
    const splits = {
      train: await readListed('train', list(train), source(train), decode, context),
      test: await readListed('test', list(test), source(test), decode, context),
    };
    forgetListings();
    return { info: await infoOf(train, folder, data), ...splits };
  },
});

const layouts = ({ train, val }: Options): string[] => [`${train} and ${val}`, `the same in inat2018/`];

/** Looks in the root and in `inat2018/` below it. */
function find({ root, options: { train } }: { root?: string | undefined; options: Options }): string | null {
  const base = dataRoot(root);
  return [base, join(base, 'inat2018')].find((folder) => existsSync(join(folder, train))) ?? null;
}

const sizes = (data: Partial<SizeOptions>): Sizes =>
  givenSizes(data) ?? givenSizes({ imageSize: SIDE, interpolation: data.interpolation, ...packed(data) })!;

const packed = ({ cropFraction }: Partial<SizeOptions>): Partial<SizeOptions> =>
  cropFraction === undefined ? { packSize: PACKED } : { cropFraction };

type Annotations = CocoImages & { path: string; hash: string };

async function readAnnotations(path: string): Promise<Annotations> {
  const { value, hash } = await readListing(path, 'coco', () => readCoco(path));
  return { ...value, path, hash };
}

/** Names of classes come from `categories.json` where it is: those of the annotations are obfuscated. */
async function infoOf({ categories }: Annotations, folder: string, data: Partial<SizeOptions>): Promise<ImageInfo> {
  const path = join(folder, NAMES);
  const names = existsSync(path) ? await readNames(path) : new Map<number, string>();
  const classes = categories.map(({ id, name }) => names.get(id) ?? name);
  return { ...info, classes, ...sizes(data) };
}

async function readNames(path: string): Promise<Map<number, string>> {
  let list: unknown;
  try {
    list = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw badFile(path, 'JSON', messageOf(error));
  }
  if (!Array.isArray(list)) throw badFile(path, 'a list of categories', typeof list);
  return new Map(
    list.map((element: { id?: unknown; name?: unknown } | null) => {
      const { id, name } = element ?? {};
      if (!Number.isSafeInteger(id) || typeof name !== 'string')
        throw badFile(path, 'categories with id and name', briefJson(element));
      return [id as number, name];
    }),
  );
}
