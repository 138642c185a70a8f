import { dirname, extname, isAbsolute, resolve, sep } from 'node:path';
import { z } from 'zod';
import { type DatasetInput, defineDataset } from '../dataset.ts';
import { briefJson, manifestFormat, manifestLacks, manifestRow } from '../errors.ts';
import { chooseSizes, decodeOptions } from '../packed/image-size.ts';
import { readListed } from '../packed/pack-images.ts';
import { dataRoot } from '../root.ts';
import { countLabels } from '../subset.ts';
import type { ImageList } from '../types.ts';
import { byCodePoint, expectOneForm } from './class-folders.ts';
import { HELD_OUT, heldOut } from './held-out.ts';
import { forgetListings, readListing } from './listing.ts';
import { photoInfo } from './photo-info.ts';
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
      ...photoInfo('manifest', classes, await chooseSizes(train, data), notes),
      fullCounts,
      testCount: test?.files.length ?? 0,
      ...(validation && { validationCount: validation.files.length }),
    };
  },
  async read(data, context) {
    const { classes, source, train, validation, test, notes, groups } = await open(data);
    const sizes = await chooseSizes(train, data);
    const decode = decodeOptions(sizes, data);
    const own = await readListed('train', train, source, decode, context);
    const splits = {
      train: groups === null ? own : { ...own, groups: own.files!.map((file) => groups.get(file) ?? null) },
      ...(validation && { validation: await readListed('validation', validation, source, decode, context) }),
      ...(test && { test: await readListed('test', test, source, decode, context) }),
    };
    forgetListings();
    return { info: photoInfo('manifest', classes, sizes, notes), ...splits };
  },
});

/** What a manifest says. */
interface Manifest {
  classes: readonly string[];
  /** Hash of the file and how it is read. */
  source: string;
  train: ImageList;
  validation: ImageList | null;
  test: ImageList | null;
  notes: readonly string[];
  /** Group of each training file that has one; null where none were asked for. */
  groups: ReadonlyMap<string, string> | null;
}

async function open({ root, options: own, split }: DatasetInput<Options>): Promise<Manifest> {
  const path = resolve(dataRoot(root), own.file);
  const images = own.images === undefined ? dirname(path) : resolve(dataRoot(root), own.images);
  const division: Division = {
    isTestCut: (split?.test ?? 0) > 0,
    group: typeof split?.group === 'object' ? split.group.column : null,
  };
  const settings = JSON.stringify([images, own]);
  const { value, hash } = await readListing(path, settings + JSON.stringify(division), () =>
    readManifest(path, images, own, division),
  );
  const list = (files: ImageList['files']) => ({ folder: path, base: dirname(path), files });
  const { classes, train, validation, test, notes, groups } = value;
  const source = `${settings}\0${hash}`;
  const held = { validation: validation && list(validation), test: test && list(test) };
  return { classes, notes, groups, source, train: list(train), ...held };
}

/** What `data.split` asks of a manifest. */
interface Division {
  /** Whether test images are held out of the training images. */
  isTestCut: boolean;
  /** Column with the group of an image. */
  group: string | null;
}

/** Lines of a split, a column each: ten million objects would take as much memory as what is made of them. */
interface Columned {
  paths: string[];
  /** Place of each label in the list of all. */
  labels: number[];
  lines: number[];
  groups: string[];
}

interface Listing {
  classes: readonly string[];
  train: ImageList['files'];
  validation: ImageList['files'] | null;
  test: ImageList['files'] | null;
  notes: readonly string[];
  groups: ReadonlyMap<string, string> | null;
}

async function readManifest(
  path: string,
  images: string,
  { columns, classes: given }: Options,
  { isTestCut, group }: Division,
): Promise<Listing> {
  const rows = new Map<string, Columned>(
    [TRAIN, ...HELD_OUT].map((split) => [split, { paths: [], labels: [], lines: [], groups: [] }]),
  );
  const places = new Map<string, number>();
  const names = [columns.path, columns.label, ...(group === null ? [] : [group]), columns.split];
  const optional = isTestCut ? columns.split : null;
  await readRows(path, { names, optional }, (line, [file, label, ...rest]) => {
    const named = rest.pop()!;
    const split = named === '' && isTestCut ? TRAIN : named;
    if (file === '' || label === '') throw manifestRow(path, line, 'a path and a label', 'an empty one');
    const own = rows.get(split);
    if (own === undefined) throw manifestRow(path, line, `a split of ${[...rows.keys()].join(', ')}`, `"${split}"`);
    if (!places.has(label!)) places.set(label!, places.size);
    own.paths.push(isAbsolute(file!) ? file! : `${images}${sep}${file}`);
    own.labels.push(places.get(label!)!);
    own.lines.push(line);
    if (group !== null) own.groups.push(rest[0]!);
  });
  const train = rows.get(TRAIN)!;
  const held = heldOut(path, (split) => rows.get(split)!.paths.length > 0, isTestCut);
  if (train.paths.length === 0) throw manifestLacks(path, 'rows with the split train', 'none');
  if (held.test === null && !isTestCut) {
    throw manifestLacks(path, `rows with the split ${HELD_OUT.join(' or ')}, or data.split.test`, 'none');
  }
  const written = [...places.keys()];
  const classes = given ?? classesOf([...new Set(train.labels)].map((place) => written[place]!));
  expectOneForm([...new Set([...classes, ...written])], (name) => `${path}: class ${JSON.stringify(name)}`);
  const known = new Map(classes.map((name, label) => [name, label]));
  const labelAt = written.map((name) => known.get(name));
  const files = ({ paths, labels, lines }: Columned): ImageList['files'] =>
    paths.map((file, i) => {
      const label = labelAt[labels[i]!];
      if (label === undefined) {
        const expected = given ? 'a class of data.options' : 'a class of train';
        throw manifestRow(path, lines[i]!, expected, `"${written[labels[i]!]}"`);
      }
      return { path: file, label };
    });
  const all = {
    classes,
    train: files(train),
    validation: held.validation && files(rows.get(held.validation)!),
    test: held.test && files(rows.get(held.test)!),
    notes: held.notes,
    groups:
      group === null
        ? null
        : new Map(train.paths.flatMap((file, i) => (train.groups[i] === '' ? [] : [[file, train.groups[i]!]]))),
  };
  const trained = new Set(all.train.map(({ label }) => label));
  const empty = classes.find((_, label) => !trained.has(label));
  if (empty !== undefined) throw manifestLacks(path, 'training images of every class', `none of "${empty}"`);
  return all;
}

function classesOf(names: string[]): string[] {
  const numeric = names.every((name) => /^(0|[1-9]\d*)$/.test(name));
  return names.sort(numeric ? (a, b) => a.length - b.length || byCodePoint(a, b) : byCodePoint);
}

/** Columns that are read; a manifest may do without the optional one. */
interface Columns {
  names: readonly string[];
  optional: string | null;
}

/** Calls with the named columns of each row, a column that is not there as an empty text. */
async function readRows(path: string, wanted: Columns, onRow: OnRow): Promise<void> {
  const { names, optional } = wanted;
  const extension = extname(path).toLowerCase();
  if (extension === '.jsonl' || extension === '.ndjson') return readJsonLines(path, wanted, onRow);
  if (extension !== '.csv' && extension !== '.tsv') throw manifestFormat(path);
  const header = `a first line with ${names.filter((name) => name !== optional).join(', ')}`;
  const split = names.at(-1)!;
  let places: number[] | null = null;
  let width = 0;
  const separator = extension === '.csv' ? ',' : '\t';
  await readSeparated(path, separator, (line, fields) => {
    if (places === null) {
      width = fields.length;
      places = names.map((name) => fields.indexOf(name));
      const missing = names.filter((name) => name !== optional && !fields.includes(name));
      if (missing.length > 0) {
        const expected = missing.includes(split) ? `${header}, or data.split` : header;
        throw manifestLacks(path, expected, `one without ${missing.join(', ')}: "${fields.join(separator)}"`);
      }
      const twice = names.find((name) => fields.indexOf(name) !== fields.lastIndexOf(name));
      if (twice !== undefined) throw manifestLacks(path, header, `one with ${twice} twice`);
      return;
    }
    if (fields.length !== width)
      throw manifestRow(path, line, `${width} fields, as the first line has`, String(fields.length));
    onRow(
      line,
      places.map((place) => fields[place] ?? ''),
    );
  });
  if (places === null) throw manifestLacks(path, header, 'an empty file');
}

async function readJsonLines(path: string, { names, optional }: Columns, onRow: OnRow): Promise<void> {
  await readLines(path, (line, text) => {
    if (text.trim() === '') return;
    const row = parseMap(text);
    if (row === null) throw manifestRow(path, line, 'a JSON map', text);
    const fields = names.map((name) => (name === optional ? (row[name] ?? '') : row[name]));
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
