import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { defineDataset } from '../dataset.ts';
import { badFile, datasetMissing, readerMissing } from '../errors.ts';
import { dataRoot } from '../root.ts';
import type { CountSummary, DatasetInfo } from '../types.ts';

const CLASSES = 8142;
const ANNOTATIONS = 'train2018.json';

const published: CountSummary = { total: 437_513, largest: 1000, smallest: 2, source: ANNOTATIONS };

const info: DatasetInfo = {
  name: 'inat2018',
  classes: Array.from({ length: CLASSES }, (_, category) => String(category)),
  shape: [224, 224, 3],
  mean: [0.466, 0.471, 0.38],
  std: [0.195, 0.194, 0.192],
  fullCounts: published,
  testCount: 24_426,
};

/**
 * iNaturalist 2018 (Van Horn et al.): 437,513 images of 8,142 species, as unequal as they are; evaluated on the
 * validation split, three images of each. Classes are the category numbers. How many images each has stands in
 * `train2018.json` alone, so without that file a plan says the published total and range. Mean and standard deviation
 * are those of Park et al. 2022.
 *
 * Missing so far: the images themselves ({@link readerMissing}), and the transforms of the papers beyond the flip.
 */
export const inat2018 = defineDataset({
  name: 'inat2018',
  profile: 'none',
  augment: [{ name: 'flip', probability: 0.5 }],
  async describe({ root }) {
    const folder = find(dataRoot(root));
    return folder === null ? info : { ...info, fullCounts: await countAnnotations(join(folder, ANNOTATIONS)) };
  },
  async read({ root }) {
    const folder = find(dataRoot(root));
    if (folder === null) throw datasetMissing('inat2018', dataRoot(root), layouts);
    throw readerMissing('inat2018', folder);
  },
});

const layouts = [ANNOTATIONS, `inat2018/${ANNOTATIONS}`];

/** Looks in the root and in `inat2018/` below it. */
function find(root: string): string | null {
  return [root, join(root, 'inat2018')].find((folder) => existsSync(join(folder, ANNOTATIONS))) ?? null;
}

/** Longest text of a category in an annotation, with room for white space. */
const OVERLAP = 64;

/** Images of each category, `[8142]`. The file is searched piece by piece, not parsed: its `annotations` alone have the key. */
async function countAnnotations(path: string): Promise<number[]> {
  const counts = new Array<number>(CLASSES).fill(0);
  let rest = '';
  for await (const piece of createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 20 })) {
    const text: string = rest + piece;
    let end = 0;
    // The character after the number shows that the number is whole.
    for (const match of text.matchAll(/"category_id"\s*:\s*(\d+)(?=\D)/g)) {
      const category = Number(match[1]);
      if (category >= CLASSES) throw badFile(path, `categories below ${CLASSES}`, String(category));
      counts[category]!++;
      end = match.index + match[0].length;
    }
    rest = text.slice(Math.max(end, text.length - OVERLAP));
  }
  const empty = counts.indexOf(0);
  if (empty >= 0) throw badFile(path, `annotations of all ${CLASSES} categories`, `none of category ${empty}`);
  return counts;
}
