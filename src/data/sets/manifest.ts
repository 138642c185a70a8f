import { dirname, extname, isAbsolute, resolve, sep } from 'node:path';
import { z } from 'zod';
import { defineDataset } from '../dataset.ts';
import { briefJson, manifestFormat, manifestLacks, manifestRow } from '../errors.ts';
import { decodeOptions, type Sizes, sizesOf } from '../packed/image-size.ts';
import { readListed } from '../packed/pack-images.ts';
import { dataRoot } from '../root.ts';
import { countLabels } from '../subset.ts';
import type { ImageInfo, ImageList } from '../types.ts';
import { byCodePoint } from './class-folders.ts';
import { HELD_OUT, heldOut } from './held-out.ts';
import { forgetListings, readListing } from './listing.ts';
import { type OnRow, readLines, readSeparated } from './rows.ts';

const column = (name: string, description: string) => z.string().min(1).default(name).describe(description);

const options = z.strictObject({
  file: z
    .string()
    .min(1)
    .default('manifest.csv')
    .describe('The manifest: `.csv`, `.tsv` or `.jsonl`; relative to the root.'),
  images: z.string().min(1).optional().describe('Folder that paths are relative to. Default: that of the manifest.'),
  columns: z
    .strictObject({
      path: column('path', 'Column with the path of an image.'),
      label: column('label', 'Column with its class.'),
      split: column('split', 'Column with its split.'),
    })
    .prefault({})
    .describe('Names of the columns.'),
  classes: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('Class names in label order. Default: the labels of train, as numbers if they all are, else as text.'),
});
type Options = z.output<typeof options>;

const TRAIN = 'train';

/**
 * Any images, listed in one file with a line an image: path, label, split. Its classes are as unequal as they are unless
 * a profile is asked for. Mean and standard deviation default to ImageNet's.
 */
export const manifest = defineDataset({
  name: 'manifest',
  options,
  profile: 'none',
  augment: [],
  async describe(data) {
    const { classes, train, validation, test, notes } = await open(data);
    const fullCounts = countLabels(
      train.files.map(({ label }) => label),
      classes.length,
    );
    return {
      ...infoOf(classes, await sizesOf(train, data), notes),
      fullCounts,
      testCount: test.files.length,
      ...(validation && { validationCount: validation.files.length }),
    };
  },
  async read(data, context) {
    const { classes, source, train, validation, test, notes } = await open(data);
    const sizes = await sizesOf(train, data);
    const decode = decodeOptions(sizes, data);
    const splits = {
      train: await readListed('train', train, source, decode, context),
      ...(validation && { validation: await readListed('validation', validation, source, decode, context) }),
      test: await readListed('test', test, source, decode, context),
    };
    forgetListings();
    return { info: infoOf(classes, sizes, notes), ...splits };
  },
});

const infoOf = (classes: readonly string[], sizes: Sizes, notes: readonly string[]): ImageInfo => ({
  name: 'manifest',
  classes,
  ...sizes,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  ...(notes.length > 0 && { notes }),
});

/** What a manifest says. */
interface Manifest {
  classes: readonly string[];
  /** Hash of the file and how it is read. */
  source: string;
  train: ImageList;
  validation: ImageList | null;
  test: ImageList;
  notes: readonly string[];
}

async function open({ root, options: own }: { root?: string | undefined; options: Options }): Promise<Manifest> {
  const path = resolve(dataRoot(root), own.file);
  const images = own.images === undefined ? dirname(path) : resolve(dataRoot(root), own.images);
  const settings = JSON.stringify([images, own]);
  const { value, hash } = await readListing(path, settings, () => readManifest(path, images, own));
  const list = (files: ImageList['files']) => ({ folder: path, base: dirname(path), files });
  const { classes, train, validation, test, notes } = value;
  const source = `${settings}\0${hash}`;
  return { classes, notes, source, train: list(train), validation: validation && list(validation), test: list(test) };
}

/** An image as its line has it. */
interface Listed {
  path: string;
  label: string;
  line: number;
}

interface Listing {
  classes: readonly string[];
  train: ImageList['files'];
  validation: ImageList['files'] | null;
  test: ImageList['files'];
  notes: readonly string[];
}

async function readManifest(path: string, images: string, { columns, classes: given }: Options): Promise<Listing> {
  const rows = new Map<string, Listed[]>([TRAIN, ...HELD_OUT].map((split) => [split, []]));
  const names = [columns.path, columns.label, columns.split];
  await readRows(path, names, (line, [file, label, split]) => {
    if (file === '' || label === '') throw manifestRow(path, line, 'a path and a label', 'an empty one');
    const own = rows.get(split!);
    if (own === undefined) throw manifestRow(path, line, `a split of ${[...rows.keys()].join(', ')}`, `"${split}"`);
    own.push({ path: isAbsolute(file!) ? file! : `${images}${sep}${file}`, label: label!, line });
  });
  const train = rows.get(TRAIN)!;
  const held = heldOut(path, (split) => rows.get(split)!.length > 0);
  if (train.length === 0) throw manifestLacks(path, 'rows with the split train', 'none');
  if (held.test === null) throw manifestLacks(path, `rows with the split ${HELD_OUT.join(' or ')}`, 'none');
  const classes = given ?? classesOf(train);
  const labels = new Map(classes.map((name, label) => [name, label]));
  const files = (own: readonly Listed[]): ImageList['files'] =>
    own.map(({ path: file, label: name, line }) => {
      const label = labels.get(name);
      if (label === undefined)
        throw manifestRow(path, line, given ? 'a class of data.options' : 'a class of train', `"${name}"`);
      return { path: file, label };
    });
  const all = {
    classes,
    train: files(train),
    validation: held.validation && files(rows.get(held.validation)!),
    test: files(rows.get(held.test)!),
    notes: held.notes,
  };
  const trained = new Set(all.train.map(({ label }) => label));
  const empty = classes.find((_, label) => !trained.has(label));
  if (empty !== undefined) throw manifestLacks(path, 'training images of every class', `none of "${empty}"`);
  return all;
}

function classesOf(rows: readonly Listed[]): string[] {
  const names = [...new Set(rows.map(({ label }) => label))];
  const numeric = names.every((name) => /^(0|[1-9]\d*)$/.test(name));
  return names.sort(numeric ? (a, b) => a.length - b.length || byCodePoint(a, b) : byCodePoint);
}

/** Calls with the named columns of each row. */
async function readRows(path: string, names: readonly string[], onRow: OnRow): Promise<void> {
  const extension = extname(path).toLowerCase();
  if (extension === '.jsonl' || extension === '.ndjson') return readJsonLines(path, names, onRow);
  if (extension !== '.csv' && extension !== '.tsv') throw manifestFormat(path);
  const header = `a first line with ${names.join(', ')}`;
  let places: number[] | null = null;
  let width = 0;
  const separator = extension === '.csv' ? ',' : '\t';
  await readSeparated(path, separator, (line, fields) => {
    if (places === null) {
      width = fields.length;
      places = names.map((name) => fields.indexOf(name));
      const missing = names.filter((name) => !fields.includes(name));
      if (missing.length > 0) {
        throw manifestLacks(path, header, `one without ${missing.join(', ')}: "${fields.join(separator)}"`);
      }
      const twice = names.find((name) => fields.indexOf(name) !== fields.lastIndexOf(name));
      if (twice !== undefined) throw manifestLacks(path, header, `one with ${twice} twice`);
      return;
    }
    if (fields.length !== width)
      throw manifestRow(path, line, `${width} fields, as the first line has`, String(fields.length));
    onRow(
      line,
      places.map((place) => fields[place]!),
    );
  });
  if (places === null) throw manifestLacks(path, header, 'an empty file');
}

async function readJsonLines(path: string, names: readonly string[], onRow: OnRow): Promise<void> {
  await readLines(path, (line, text) => {
    if (text.trim() === '') return;
    const row = parseMap(text);
    if (row === null) throw manifestRow(path, line, 'a JSON map', text);
    const fields = names.map((name) => row[name]);
    const wrong = fields.findIndex((field) => typeof field !== 'string' && !isExact(field));
    if (wrong >= 0) throw manifestRow(path, line, `text or a number as ${names[wrong]}`, briefJson(fields[wrong]));
    onRow(line, fields.map(String));
  });
}

/** A number that two different texts do not share: larger ones are rounded as they are read. */
const isExact = (value: unknown): boolean => typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER;

function parseMap(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
