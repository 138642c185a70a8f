import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Published numbers of iNaturalist 2018. */
export const CLASSES = 8142;
export const TRAIN_IMAGES = 437_513;
export const VAL_IMAGES_PER_CLASS = 3;
const [LARGEST, SMALLEST] = [1000, 2];

/** An annotation file, with the fields of the published ones; what is read of them is typed. */
export interface Annotations {
  images: { id: number; file_name: string }[];
  annotations: { id: number; image_id: number; category_id: number }[];
  categories: { id: number; name: string }[];
}

const head = {
  info: {
    year: 2018,
    version: 1,
    description: 'This is the 2018 fine-grained iNaturalist dataset.',
    contributor: 'iNaturalist group',
    url: 'http://www.inaturalist.org',
    date_created: '2018-02-02 14:26:13',
  },
  licenses: Array.from({ length: 6 }, (_, id) => ({
    id: id + 1,
    name: `Attribution-License ${id + 1}`,
    url: 'http://creativecommons.org/licenses/by-nc/4.0/',
  })),
};

const imageOf = (id: number, category: number) => ({
  id,
  width: 800,
  height: 600,
  file_name: `train_val2018/Aves/${category}/${id.toString(16).padStart(32, '0')}.jpg`,
  license: 1 + (id % 6),
  rights_holder: 'Zoë "Z" [\\] Ødegård, 観察者',
});
const annotationOf = (image: number, category: number) => ({ id: image, image_id: image, category_id: category });
const categoryOf = (id: number) => ({
  id,
  name: `00${id}`,
  supercategory: 'Aves',
  kingdom: 'Animalia',
  phylum: 'Chordata',
  class: 'Aves',
  order: '3e5b',
  family: 'a91c',
  genus: '77f0',
});

/** A small annotation file: image i, numbered from `firstId`, is of category `labels[i]`; annotations in another order. */
export function annotate(labels: readonly number[], categories: readonly number[], firstId = 1): Annotations {
  const ids = labels.map((_, i) => firstId + i);
  return {
    ...head,
    images: labels.map((category, i) => imageOf(ids[i]!, category)),
    annotations: labels.map((category, i) => annotationOf(ids[i]!, category)).reverse(),
    categories: categories.map(categoryOf),
  };
}

/** Training images of each class: as many, as different and as unequal as the published ones, exponentially. */
export function fullCounts(): number[] {
  const at = (rate: number): number[] =>
    Array.from({ length: CLASSES }, (_, c) => Math.max(SMALLEST, Math.round(LARGEST * Math.exp(-rate * c))));
  let [low, high] = [0, 1];
  const total = (counts: readonly number[]): number => counts.reduce((sum, n) => sum + n, 0);
  for (let i = 0; i < 60; i++) {
    const rate = (low + high) / 2;
    if (total(at(rate)) > TRAIN_IMAGES) low = rate;
    else high = rate;
  }
  const counts = at(high);
  // What rounding left over goes to classes in the middle, one each.
  const left = TRAIN_IMAGES - total(counts);
  for (let i = 0; i < left; i++) counts[1 + (i % (CLASSES - 2))]!++;
  return counts;
}

/**
 * The category of each image of a file of these counts, in an order as mixed as the published one: each as often as it has
 * images, by steps that have no factor in common with their number.
 */
export function mixedCategories(counts: readonly number[]): Int32Array {
  const sorted = Int32Array.from(counts.flatMap((n, category) => Array<number>(n).fill(category)));
  const step = [611_953, 611_957].find((prime) => sorted.length % prime !== 0)!;
  return sorted.map((_, i) => sorted[(i * step) % sorted.length]!);
}

/** Writes an annotation file of any size, piece by piece, with the images numbered from `firstId`. */
export async function writeAnnotations(path: string, counts: readonly number[], firstId = 1): Promise<void> {
  const labels = mixedCategories(counts);
  const join = function* (count: number, element: (i: number) => unknown): Generator<string> {
    for (let i = 0; i < count; i++) yield `${i === 0 ? '' : ', '}${JSON.stringify(element(i))}`;
  };
  const text = function* (): Generator<string> {
    yield `{"info": ${JSON.stringify(head.info)}, "images": [`;
    yield* join(labels.length, (i) => imageOf(firstId + i, labels[i]!));
    yield `], "licenses": ${JSON.stringify(head.licenses)}, "annotations": [`;
    yield* join(labels.length, (i) => annotationOf(firstId + i, labels[i]!));
    yield '], "categories": [';
    yield* join(counts.length, categoryOf);
    yield ']}';
  };
  const pieces = function* (): Generator<string> {
    let piece = '';
    for (const part of text()) {
      piece += part;
      if (piece.length < 2 ** 18) continue;
      yield piece;
      piece = '';
    }
    yield piece;
  };
  await pipeline(Readable.from(pieces()), createWriteStream(path));
}
