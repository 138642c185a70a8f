import { concatenate } from '../util/concatenate.ts';
import { grouped } from '../util/grouped.ts';
import { classUnread, splitColumn, splitMissing, splitTwice } from './errors.ts';
import type { DataOptions } from './options.ts';
import { datasets } from './sets/registry.ts';
import { divide, expectedParts, type Part, type Shares } from './split.ts';
import { splitKeys } from './split-keys.ts';
import { countLabels, rowsByClass, subsetOf, wholeOf } from './subset.ts';
import type { DatasetImages, ImageInfo, Subset } from './types.ts';

/** All images of a data set in the parts that they are used for, before any profile. */
export interface Parts {
  /** Rows of each class, `[C]`, in the order of the data set. */
  train: Int32Array[];
  validation: Subset | null;
  test: Subset;
  /** What was divided, and how. */
  notes: string[];
}

/** Images of the splits that a data set has of its own. */
interface Own {
  validation: number;
  test: number;
}

/** The fractions that are held out, checked against what the data set has of its own. */
function sharesOf({ split, name }: DataOptions, own: Own): Shares {
  const { validation = 0, test = 0, group } = split ?? {};
  for (const [part, share] of Object.entries({ validation, test }) as ['validation' | 'test', number][]) {
    if (share > 0 && own[part] > 0) throw splitTwice(part, share, own[part]);
  }
  if (test === 0 && own.test === 0) throw splitMissing();
  const isKnown = typeof name === 'string' && Object.hasOwn(datasets, name);
  if (typeof group === 'object' && isKnown && name !== 'manifest') throw splitColumn(name);
  return { validation, test };
}

/** The splits of a data set: its own, and those that `data.split` holds out of its training images. */
export function partsOf(images: DatasetImages, options: DataOptions): Parts {
  const { info, train, validation, test } = images;
  const classCount = info.classes.length;
  const shares = sharesOf(options, { validation: validation?.labels.length ?? 0, test: test?.labels.length ?? 0 });
  const empty = countLabels(train.labels, classCount).indexOf(0);
  if (empty >= 0) throw classUnread(info.classes[empty]!);
  if (shares.validation + shares.test === 0) {
    return {
      train: rowsByClass(train.labels, classCount),
      validation: validation ? wholeOf(validation, classCount) : null,
      test: wholeOf(test!, classCount),
      notes: [],
    };
  }
  const keys = splitKeys(train, info, { group: options.split?.group, root: options.root });
  const divided = divide(train.labels, keys, { shares, seed: options.subsetSeed, classCount });
  const cut = (part: Part): Subset => subsetOf(train, concatenate(Int32Array, divided[part]), classCount);
  return {
    train: divided.train,
    validation: validation ? wholeOf(validation, classCount) : shares.validation > 0 ? cut('validation') : null,
    test: test ? wholeOf(test, classCount) : cut('test'),
    notes: notesOf(divided, shares, info),
  };
}

/** What is to be expected of images per class before the images are read. */
export function expectParts(
  fullCounts: readonly number[],
  options: DataOptions,
  own: Own,
): { train: number[]; validation: number; test: number; notes: string[] } {
  const shares = sharesOf(options, own);
  const parts = fullCounts.map((n) => expectedParts(n, shares));
  const total = (part: Part): number => parts.reduce((sum, counts) => sum + counts[part], 0);
  const counts = { train: total('train'), validation: total('validation'), test: total('test') };
  const isDivided = shares.validation + shares.test > 0;
  return {
    train: parts.map(({ train }) => train),
    validation: own.validation || counts.validation,
    test: own.test || counts.test,
    notes: isDivided ? [`about ${shown(counts, shares)}, by content; exact when the images are read`] : [],
  };
}

function notesOf(divided: ReturnType<typeof divide>, shares: Shares, { classes }: ImageInfo): string[] {
  const total = (part: Part): number => divided[part].reduce((sum, own) => sum + own.length, 0);
  const { completed } = divided;
  const few = completed.length === 1 ? '1 class has' : `${completed.length} classes have`;
  const names = completed.slice(0, NAMED).map((label) => classes[label]);
  const more = completed.length > NAMED ? `, and ${completed.length - NAMED} more` : '';
  return [
    `${shown({ train: total('train'), validation: total('validation'), test: total('test') }, shares)}, by content`,
    ...(completed.length > 0
      ? [`${few} few images for these parts, which the rule for rare classes filled: ${names.join(', ')}${more}`]
      : []),
  ];
}

/** Classes that a note names. */
const NAMED = 10;

/** `2,050 images to train on, 441 for validation (15.0%), 440 for test (15.0%)`. */
function shown(counts: Record<Part, number>, shares: Shares): string {
  const all = counts.train + counts.validation + counts.test;
  const held = (['validation', 'test'] as const)
    .filter((part) => shares[part] > 0)
    .map((part) => `${grouped(counts[part])} for ${part} (${((100 * counts[part]) / Math.max(1, all)).toFixed(1)}%)`);
  return [`${grouped(counts.train)} images to train on`, ...held].join(', ');
}
