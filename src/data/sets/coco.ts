import { isAbsolute } from 'node:path';
import { badFile, briefJson } from '../errors.ts';
import { readArrays } from './json-arrays.ts';

/** Images and classes of an annotation file in the form of COCO, one class an image. */
export interface CocoImages {
  /** Sorted by `id`, which is label order. */
  categories: readonly { id: number; name: string }[];
  /** `file_name` of each image, in the order of `images`. */
  files: string[];
  /** `[N]`, index of each image's category. */
  labels: Int32Array;
}

/**
 * Reads `images`, `annotations` and `categories` of an annotation file, in any order, in bounded memory: a name and two
 * numbers an image are kept.
 *
 * @throws {TailmixError} DATA_FILE where an image has no annotation or two, or names one that is not there, or a file name
 *   leads out of the folder
 */
export async function readCoco(path: string): Promise<CocoImages> {
  const categories: { id: number; name: string }[] = [];
  const files: string[] = [];
  const rowOfImage = new Map<number, number>();
  const annotated: number[] = [];
  const chosen: number[] = [];
  await readArrays(path, {
    images(element) {
      const { id, file_name: file } = element;
      if (!isId(id) || typeof file !== 'string' || file === '')
        throw wrong(path, 'images with id and file_name', element);
      if (isAbsolute(file) || file.split(/[/\\]/).includes('..'))
        throw wrong(path, 'file names below its folder', element);
      if (rowOfImage.has(id)) throw wrong(path, 'images of different ids', element);
      rowOfImage.set(id, files.length);
      files.push(file);
    },
    annotations(element) {
      const { image_id: image, category_id: category } = element;
      if (!isId(image) || !isId(category)) throw wrong(path, 'annotations with image_id and category_id', element);
      annotated.push(image);
      chosen.push(category);
    },
    categories(element) {
      const { id, name } = element;
      if (!isId(id)) throw wrong(path, 'categories with id and name', element);
      categories.push({ id, name: typeof name === 'string' ? name : String(id) });
    },
  });
  categories.sort((a, b) => a.id - b.id);
  const labelOfCategory = new Map(categories.map(({ id }, label) => [id, label]));
  if (labelOfCategory.size !== categories.length) throw badFile(path, 'categories of different ids', 'one id twice');
  const labels = new Int32Array(files.length).fill(-1);
  for (const [i, image] of annotated.entries()) {
    const row = rowOfImage.get(image);
    const label = labelOfCategory.get(chosen[i]!);
    if (row === undefined) throw badFile(path, 'annotations of its images', `one of image ${image}`);
    if (label === undefined) throw badFile(path, 'annotations with its categories', `category ${chosen[i]}`);
    if (labels[row] !== -1) throw badFile(path, 'one annotation for each image', `two for image ${image}`);
    labels[row] = label;
  }
  const bare = labels.indexOf(-1);
  if (bare >= 0) throw badFile(path, 'one annotation for each image', `none for ${files[bare]}`);
  return { categories, files, labels };
}

const isId = (value: unknown): value is number => Number.isSafeInteger(value);

const wrong = (path: string, expected: string, element: unknown) => badFile(path, expected, briefJson(element));
