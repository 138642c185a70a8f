import type { HookName } from '../hooks.ts';
import type { RunInfo } from '../run.ts';
import { describeValue, type Fault, fieldsOf, numbersFault } from '../util/fault.ts';
import { nearest } from '../util/names.ts';
import { sizeOf } from '../util/shape.ts';
import { resolveShape } from './batch.ts';
import { returnedWrong } from './errors.ts';
import type { StepPlugins } from './program.ts';
import type { Batch, EpochContext, InputSpec, Targets } from './types.ts';

/** What is known of a run when its hooks decide. */
export interface Decided extends Pick<StepPlugins, 'variants' | 'inputs'> {
  info: Pick<RunInfo, 'classes' | 'classCounts' | 'imageShape'>;
}

/** Where a hook was called; in a rehearsal, numbers may have any size. */
type Where = Pick<EpochContext, 'rehearsal'>;

type FaultOf = (value: unknown, given: unknown, run: Decided, where: Where) => Fault | null;

/**
 * What is wrong with what a tap returned, by hook; null where nothing is. Beyond the last epoch, where a rehearsal is,
 * a schedule may well give NaN: what depends on the epoch has its type checked there, and its size in the run.
 */
export const decidedFaults: Partial<Record<HookName, FaultOf>> = {
  computeSamplingWeights: (weights, _, { info }, where) =>
    weights === null ? null : drawWeightsFault(weights, info, where),
  computeClassWeights: (weights, _, { info }, where) => classWeightsFault(weights, info.classes.length, where),
  computeAugmentation: (strength, _, { info }, where) =>
    numbersFault(strength, {
      type: Float32Array,
      length: info.classes.length,
      range: 'in 0…1, one a class',
      isRight: inRun(where, isShare),
    }),
  computeLearningRate: (rate, _, __, where) =>
    typeof rate === 'number' && inRun(where, isWeight)(rate)
      ? null
      : { expected: 'a finite number of 0 or more', got: describeValue(rate) },
  onBatch: (batch, given, run, where) => batchFault(batch, given as Batch, run, where),
  computeTargets: (targets, given, { info }, where) =>
    targetsFault(targets, given as Targets, info.classes.length, where),
  computeFigures: figuresFault,
};

/** The check, which a rehearsal leaves out. */
const inRun = ({ rehearsal }: Where, isRight: (number: number) => boolean): ((number: number) => boolean) =>
  rehearsal ? () => true : isRight;

const isWeight = (weight: number): boolean => weight >= 0 && weight < Infinity;

const isShare = (share: number): boolean => share >= 0 && share <= 1;

function classWeightsFault(weights: unknown, classes: number, where: Where): Fault | null {
  const fault = numbersFault(weights, {
    type: Float64Array,
    length: classes,
    range: 'of 0 or more, one a class',
    isRight: inRun(where, isWeight),
  });
  if (fault !== null || where.rehearsal || (weights as Float64Array).some((weight) => weight > 0)) return fault;
  return { expected: 'a weight above 0', got: 'zeros' };
}

/** What is wrong with weights that images of each class are drawn with, `[C]`. */
export function drawWeightsFault(
  weights: unknown,
  { classes, classCounts }: Pick<RunInfo, 'classes' | 'classCounts'>,
  where: Where,
): Fault | null {
  const fault = classWeightsFault(weights, classes.length, where);
  if (
    fault !== null ||
    where.rehearsal ||
    classCounts.some((count, c) => count > 0 && (weights as Float64Array)[c]! > 0)
  )
    return fault;
  return { expected: 'a weight above 0 for a class that has images', got: 'zeros for all of them' };
}

/** What core has filled in, and no tap may change. */
const FIXED_OF_BATCH = ['size', 'replicas', 'poolSize', 'indices', 'labels', 'groups'] as const;

function batchFault(value: unknown, given: Batch, { info, variants, inputs }: Decided, where: Where): Fault | null {
  const fields = fieldsOf(value);
  if (fields === null) return { expected: 'the batch', got: describeValue(value) };
  const { size, poolSize, labels } = given;
  return (
    changedFault(fields, given, FIXED_OF_BATCH) ??
    labelsFault('labels', labels, poolSize, info.classes.length) ??
    numbersFault(fields.pair, {
      part: 'pair',
      type: Int32Array,
      length: size,
      range: `in 0…${poolSize - 1}, a row of the pool`,
      isRight: (row) => row >= 0 && row < poolSize,
    }) ??
    strayFault(fields.pair as Int32Array, given) ??
    numbersFault(fields.lambda, {
      part: 'lambda',
      type: Float32Array,
      length: size,
      range: 'in 0…1',
      isRight: inRun(where, isShare),
    }) ??
    (where.rehearsal ? null : boxFault(fields.box, info.imageShape)) ??
    variantsFault(fields.variants, variants) ??
    inputNamesFault(fields.inputs, inputs)
  );
}

/** A partner that another replica has. */
function strayFault(pair: Int32Array, { size, replicas }: Batch): Fault | null {
  const replicaOf = (row: number): number => Math.floor(((row % size) * replicas) / size);
  const stray = pair.findIndex((row, i) => replicaOf(row) !== replicaOf(i));
  if (stray < 0) return null;
  return {
    part: `pair[${stray}]`,
    expected: `a row of replica ${replicaOf(stray)} (train.replicas is ${replicas})`,
    got: `row ${pair[stray]}, of replica ${replicaOf(pair[stray]!)}`,
    cure: 'Draw partners with partners(batch, random), or within each of sharesOf(batch); with train.pairs: global any will do.',
  };
}

function targetsFault(value: unknown, given: Targets, classes: number, where: Where): Fault | null {
  const fields = fieldsOf(value);
  if (fields === null) return { expected: 'the targets', got: describeValue(value) };
  const { length } = given.labels;
  return (
    changedFault(fields, given, ['labels', 'pairLabels']) ??
    labelsFault('labels', given.labels, length, classes) ??
    labelsFault('pairLabels', given.pairLabels, length, classes) ??
    numbersFault(fields.labelWeight, {
      part: 'labelWeight',
      type: Float32Array,
      length,
      range: 'in 0…1',
      isRight: inRun(where, isShare),
    })
  );
}

/** Labels may have been changed in place. */
const labelsFault = (part: string, labels: unknown, length: number, classes: number): Fault | null =>
  numbersFault(labels, {
    part,
    type: Int32Array,
    length,
    range: `in 0…${classes - 1}, a class`,
    isRight: (label) => label >= 0 && label < classes,
  });

function changedFault<T extends object>(
  fields: Record<string, unknown>,
  given: T,
  fixed: readonly (keyof T & string)[],
): Fault | null {
  const part = fixed.find((name) => !isSame(fields[name], given[name]));
  if (part === undefined) return null;
  const got = fields[part] === undefined ? 'none' : 'another value';
  return {
    part,
    expected: 'it as it was: no tap may change it',
    got,
    cure: 'Spread what was handed in, and change the rest.',
  };
}

/** Names of figures are part of files and of what trackers show. */
const FIGURE_NAME = /^[A-Za-z][\w.-]*$/;

function figuresFault(value: unknown, given: unknown): Fault | null {
  const figures = fieldsOf(value);
  if (figures === null || Array.isArray(value)) return { expected: 'numbers by name', got: describeValue(value) };
  for (const [name, before] of Object.entries(given as Record<string, number>)) {
    if (Object.is(figures[name], before)) continue;
    const cure = 'Spread the figures that were handed in, and add others under names of their own.';
    return { part: name, expected: 'it as a tap before gave it', got: describeValue(figures[name]), cure };
  }
  for (const [name, figure] of Object.entries(figures)) {
    if (!FIGURE_NAME.test(name)) {
      const got = JSON.stringify(name);
      return { part: 'a name', expected: 'a letter, then letters, digits, ".", "_" or "-"', got };
    }
    if (Number.isFinite(figure)) continue;
    const cure = 'Leave a figure out where there is none.';
    return { part: name, expected: 'a finite number', got: describeValue(figure), cure };
  }
  return null;
}

const isSame = (a: unknown, b: unknown): boolean =>
  a === b ||
  (a instanceof Int32Array &&
    b instanceof Int32Array &&
    a.length === b.length &&
    a.every((value, i) => value === b[i]));

function boxFault(box: unknown, [height, width]: RunInfo['imageShape']): Fault | null {
  if (box === null) return null;
  const { top, bottom, left, right } = (fieldsOf(box) ?? {}) as Record<string, unknown>;
  const isRange = (from: unknown, to: unknown, length: number): boolean =>
    Number.isInteger(from) &&
    Number.isInteger(to) &&
    0 <= Number(from) &&
    Number(from) <= Number(to) &&
    Number(to) <= length;
  if (isRange(top, bottom, height) && isRange(left, right, width)) return null;
  const got = fieldsOf(box) === null ? describeValue(box) : `rows ${top}…${bottom}, columns ${left}…${right}`;
  return { part: 'box', expected: `null, or whole rows in 0…${height} and columns in 0…${width}`, got };
}

function variantsFault(value: unknown, declared: Decided['variants']): Fault | null {
  const variants = fieldsOf(value);
  if (variants === null) return { part: 'variants', expected: 'values by name', got: describeValue(value) };
  for (const [name, values] of Object.entries(declared)) {
    if (values.includes(variants[name] as string)) continue;
    return {
      part: `variants.${name}`,
      expected: values.map((one) => `"${one}"`).join(' or '),
      got: describeValue(variants[name]),
    };
  }
  const other = Object.keys(variants).find((name) => !Object.hasOwn(declared, name));
  if (other === undefined) return null;
  return {
    part: `variants.${other}`,
    expected: `a declared variant, ${nearest(other, Object.keys(declared))}`,
    got: 'another',
  };
}

function inputNamesFault(value: unknown, declared: Decided['inputs']): Fault | null {
  const inputs = fieldsOf(value);
  if (inputs === null) return { part: 'inputs', expected: 'arrays by name', got: describeValue(value) };
  const other = Object.keys(inputs).find((name) => !Object.hasOwn(declared, name));
  if (other === undefined) return null;
  const part = `inputs[${JSON.stringify(other)}]`;
  return { part, expected: `a declared input, ${nearest(other, Object.keys(declared))}`, got: 'another name' };
}

const ARRAYS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array } as const;

/**
 * Refuses declared inputs that the `onBatch` taps have not filled as declared.
 *
 * @throws {TailmixError} RETURNED_WRONG, naming the plugin that declares the input.
 */
export function checkInputs(batch: Batch, declared: Readonly<Record<string, InputSpec>>): void {
  for (const [name, spec] of Object.entries(declared)) {
    const fault = numbersFault(batch.inputs[name], {
      part: `inputs[${JSON.stringify(name)}]`,
      type: ARRAYS[spec.dtype],
      length: sizeOf(resolveShape(spec, batch.size, batch.poolSize)),
      range: `other than NaN, for ${spec.dtype}[${spec.shape.join(', ')}]`,
      isRight: (value) => !Number.isNaN(value),
    });
    if (fault !== null) throw returnedWrong({ plugin: name.slice(0, name.indexOf('/')), hook: 'onBatch' }, fault);
  }
}
