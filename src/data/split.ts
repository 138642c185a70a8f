import { createHash } from 'node:crypto';
import type { SplitOptions } from './options.ts';

/** Parts that the training images of a data set are divided into. */
export type Part = 'train' | 'validation' | 'test';

/** Fractions of the images that go to validation and test. */
export type Shares = Pick<SplitOptions, 'validation' | 'test'>;

/** Training images divided: rows of each class, `[C]` lists in the order of the data set. */
export interface Division extends Record<Part, Int32Array[]> {
  /** Labels of the classes in which the rule for few images decided, ascending. */
  completed: number[];
}

/** Images that stay together. */
interface Unit {
  /** In 0…1: test comes first, then validation, then train. */
  place: number;
  rows: number[];
  /** Labels, each once. */
  classes: number[];
  part: Part;
}

/**
 * Divides images by what they are. Each image, or each group, has a place between 0 and 1 that depends on its key and the
 * seed alone; places below `test` are test, the next `validation` are validation, the rest is trained on. So an image stays
 * in its part whatever is added or taken away, and equal images are in one part.
 *
 * A class that this leaves without an image in a part gets one from another part of its own: first for train, then for
 * test, then for validation, as far as its images go.
 *
 * @param labels - `[N]`
 * @param keys - `[N]`; images of one key stay together
 */
export function divide(
  labels: Int32Array,
  keys: readonly string[],
  { shares, seed, classCount }: { shares: Shares; seed: number; classCount: number },
): Division {
  const units = unitsOf(labels, keys, seed, shares);
  const completed = completeClasses(units, shares, classCount);
  const rows = (part: Part): Int32Array[] => {
    const lists: number[][] = Array.from({ length: classCount }, () => []);
    for (const unit of units) if (unit.part === part) for (const row of unit.rows) lists[labels[row]!]!.push(row);
    return lists.map((own) => Int32Array.from(own).sort());
  };
  return { train: rows('train'), validation: rows('validation'), test: rows('test'), completed };
}

function unitsOf(labels: Int32Array, keys: readonly string[], seed: number, { validation, test }: Shares): Unit[] {
  const units = new Map<string, Unit>();
  for (const [row, key] of keys.entries()) {
    let unit = units.get(key);
    if (unit === undefined) {
      const place = placeOf(seed, key);
      const part = place < test ? 'test' : place < test + validation ? 'validation' : 'train';
      unit = { place, rows: [], classes: [], part };
      units.set(key, unit);
    }
    unit.rows.push(row);
    if (!unit.classes.includes(labels[row]!)) unit.classes.push(labels[row]!);
  }
  return [...units.values()].sort((a, b) => a.place - b.place);
}

/** The first 48 bits of a SHA-256, as a fraction. */
const placeOf = (seed: number, key: string): number =>
  createHash('sha256').update(`${seed}\0${key}`).digest().readUIntBE(0, 6) / 2 ** 48;

/** @returns labels of classes that were given an image for a part */
function completeClasses(units: readonly Unit[], shares: Shares, classCount: number): number[] {
  const counts = { train: zeros(classCount), validation: zeros(classCount), test: zeros(classCount) };
  const own: Unit[][] = Array.from({ length: classCount }, () => []);
  for (const unit of units) {
    for (const label of unit.classes) {
      counts[unit.part][label]!++;
      own[label]!.push(unit);
    }
  }
  /** Whether a unit may leave its part: only if no class loses its last image there, or for a part that comes first. */
  const isSpare = ({ part, classes }: Unit, wanted: Part): boolean =>
    ORDER.indexOf(wanted) < ORDER.indexOf(part) || classes.every((label) => counts[part][label]! > 1);
  const completed = new Set<number>();
  for (const wanted of ORDER) {
    if (wanted !== 'train' && shares[wanted] === 0) continue;
    for (const [label, candidates] of own.entries()) {
      if (counts[wanted][label]! > 0) continue;
      const unit = (wanted === 'train' ? candidates.toReversed() : candidates).find((one) => isSpare(one, wanted));
      if (unit === undefined) continue;
      for (const c of unit.classes) {
        counts[unit.part][c]!--;
        counts[wanted][c]!++;
      }
      unit.part = wanted;
      completed.add(label);
    }
  }
  return [...completed].sort((a, b) => a - b);
}

/** Which part comes first where a class has too few images for all. */
const ORDER: readonly Part[] = ['train', 'test', 'validation'];

const zeros = (length: number): Int32Array => new Int32Array(length);

/** What is to be expected of a class of n images, before their contents are known. */
export function expectedParts(n: number, { validation, test }: Shares): Record<Part, number> {
  const spare = Math.max(0, n - 1);
  const reserved = validation > 0 && spare > 1 ? 1 : 0;
  const held = (share: number, most: number): number =>
    share > 0 ? Math.min(most, Math.max(1, Math.round(n * share))) : 0;
  const ofTest = held(test, spare - reserved);
  const ofValidation = held(validation, spare - ofTest);
  return { train: n - ofTest - ofValidation, validation: ofValidation, test: ofTest };
}
