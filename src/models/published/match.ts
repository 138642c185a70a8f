import type { ArrayInfo } from '../../weights/types.ts';
import type { Model, WeightSpec } from '../types.ts';
import { type Dialect, type Part, wholeOf } from './names.ts';

/** What is wrong with an array; null where one side has none of that name. */
export interface ArrayDifference {
  name: string;
  expected: string | null;
  got: string | null;
}

/** A weight, and where it is in a file. */
export interface Taken {
  spec: WeightSpec;
  /** Name of the array. */
  published: string;
  part: Part;
}

/** A model's weights among the arrays of a file. */
export interface Match {
  dialect: Dialect;
  /** Weights that the file has, but for a classifier that does not fit. */
  taken: readonly Taken[];
  /** Whether the classifier is the file's; else why it is not. */
  classifier: 'taken' | string;
  differences: readonly ArrayDifference[];
}

const CLASSIFIER = 'classifier/';
/** How many batches a norm has seen, which nothing here needs. */
const COUNTER = /(^|\.)num_batches_tracked$/;
const FLOATING = new Set(['F64', 'F32', 'F16', 'BF16']);

type Arrays = ReadonlyMap<string, ArrayInfo>;
type Published = Pick<Model, 'weights' | 'head'>;

/** Compares a model with the arrays of a file, in the dialect that has most of their names. */
export function matchWeights(model: Published, dialects: readonly Dialect[], arrays: Arrays): Match {
  const common = (dialect: Dialect): number =>
    model.weights.filter(({ name }) => arrays.has(dialect.nameOf(name))).length;
  const [dialect] = dialects.toSorted((a, b) => common(b) - common(a)) as [Dialect];
  const names = new Set(model.weights.map(({ name }) => name));
  const named = model.weights.map((spec) => ({
    spec,
    published: dialect.nameOf(spec.name),
    part: dialect.partOf?.(spec, names) ?? wholeOf(spec),
  }));
  const [head, backbone] = [true, false].map((isHead) =>
    named.filter(({ spec }) => spec.name.startsWith(CLASSIFIER) === isHead),
  ) as [typeof named, typeof named];
  const classifier = classifierOf(model, head, dialect, arrays);
  const expected = classifier === 'taken' ? named : backbone;
  const heads = ['kernel', 'bias'].map((part) => dialect.nameOf(`${CLASSIFIER}${part}`));
  const known = new Set([...backbone.map(({ published }) => published), ...heads]);
  const differences: ArrayDifference[] = [
    ...once(expected.flatMap((one) => differenceOf(one, arrays.get(one.published)))),
    ...[...arrays]
      .filter(([name]) => !known.has(name) && !COUNTER.test(name) && !dialect.isForeign?.(name))
      .map(([name, { shape }]) => ({ name, expected: null, got: show(shape) })),
  ];
  return { dialect, taken: expected, classifier, differences };
}

/** One for each array: several weights may be parts of it. */
const once = (differences: readonly ArrayDifference[]): ArrayDifference[] =>
  differences.filter(({ name }, i) => differences.findIndex((one) => one.name === name) === i);

function differenceOf({ published: name, part }: Taken, found: ArrayInfo | undefined): ArrayDifference[] {
  const expected = show(part.expected);
  if (!found) return [{ name, expected, got: null }];
  if (!part.fits(found.shape)) return [{ name, expected, got: show(found.shape) }];
  return FLOATING.has(found.dtype) ? [] : [{ name, expected: 'floating-point numbers', got: found.dtype }];
}

const show = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** A classifier that fits is taken. Another number of classes, another kind of head or none needs a new one. */
function classifierOf(
  { head }: Published,
  own: readonly Taken[],
  dialect: Dialect,
  arrays: Arrays,
): Match['classifier'] {
  const kernel = arrays.get(dialect.nameOf(`${CLASSIFIER}kernel`));
  if (!kernel) return 'it has no classifier';
  const [classes, ownClasses] = [kernel.shape[0], own[0]!.spec.shape.at(-1)];
  if (classes !== ownClasses) return `it has ${classes ?? 'no'} classes`;
  if (head?.kind !== 'linear') return 'the head here is not linear';
  const hasBias = arrays.has(dialect.nameOf(`${CLASSIFIER}bias`));
  const wantsBias = own.some(({ spec }) => spec.kind === 'bias');
  if (hasBias !== wantsBias) return `its classifier has ${hasBias ? 'a' : 'no'} bias`;
  const [misfit] = own.flatMap((one) => differenceOf(one, arrays.get(one.published)));
  return misfit ? `${misfit.name}: expected ${misfit.expected}, got ${misfit.got}` : 'taken';
}
