import { sizeOf } from '../util/shape.ts';
import { DT, type TensorSpec } from './recording.ts';
import type { Rule, RuleInput } from './shape-rules.ts';

/** Numbers of an int32 constant; null where the input is none. */
const numbersOf = ({ value, dtype }: RuleInput): number[] | null =>
  value instanceof Uint8Array && dtype === DT.int32 ? [...new Int32Array(value.slice().buffer)] : null;

const ofFloat = (shape: readonly number[]): TensorSpec[] => [{ shape, dtype: DT.float32 }];

/** A rule for float32 in the inputs from the first to the last of these positions; for other types TensorFlow is asked. */
const float =
  (rule: (shapes: readonly (readonly number[])[], ...rest: Parameters<Rule>) => readonly number[] | null): Rule =>
  (inputs, attributes) => {
    const arrays = inputs.filter(({ dtype }) => dtype === DT.float32);
    if (inputs.some(({ dtype, value }) => dtype !== DT.float32 && !(dtype === DT.int32 && value))) return null;
    const shape = rule(
      arrays.map(({ shape }) => shape),
      inputs,
      attributes,
    );
    return shape && ofFloat(shape);
  };

/** Shape of a sum: sides of one are repeated; null where others differ. */
function together([x, y]: readonly (readonly number[])[]): number[] | null {
  const rank = Math.max(x!.length, y!.length);
  const [left, right] = [x!, y!].map((shape) => [...Array(rank - shape.length).fill(1), ...shape] as number[]);
  if (left!.some((side, axis) => side !== right![axis] && side !== 1 && right![axis] !== 1)) return null;
  return left!.map((side, axis) => (side === 1 ? right![axis]! : side));
}

const same = float(([shape]) => shape!);
const pair = float((shapes) => together(shapes));
const asBool =
  (rule: Rule): Rule =>
  (inputs, attributes) =>
    rule(inputs, attributes)?.map(({ shape }) => ({ shape, dtype: DT.bool })) ?? null;

const reduction = float(([shape], inputs, { keep_dims }) => {
  const [rank, axes] = [shape!.length, numbersOf(inputs[1]!)];
  if (!axes || axes.some((axis) => axis < -rank || axis >= rank)) return null;
  const gone = new Set(axes.map((axis) => (axis + rank) % rank));
  return shape!.flatMap((side, axis) => (gone.has(axis) ? (keep_dims?.value ? [1] : []) : [side]));
});

const reshape = float(([shape], inputs) => {
  const sides = numbersOf(inputs[1]!);
  if (!sides) return null;
  const open = sides.indexOf(-1);
  if (open >= 0) sides[open] = sizeOf(shape!) / sizeOf(sides.toSpliced(open, 1));
  return sides.every((side) => Number.isInteger(side) && side >= 0) && sizeOf(sides) === sizeOf(shape!) ? sides : null;
});

const transposition = float(([shape], inputs) => {
  const axes = numbersOf(inputs[1]!);
  const isOrder = axes?.length === shape!.length && shape!.every((_, axis) => axes.includes(axis));
  return isOrder ? axes.map((axis) => shape![axis]!) : null;
});

const slice = float(([shape], inputs) => {
  const [begin, size] = [numbersOf(inputs[1]!), numbersOf(inputs[2]!)];
  if (begin?.length !== shape!.length || size?.length !== shape!.length) return null;
  const sides = size.map((side, axis) => (side === -1 ? shape![axis]! - begin[axis]! : side));
  const fits = sides.every((side, axis) => side >= 0 && begin[axis]! >= 0 && begin[axis]! + side <= shape![axis]!);
  return fits ? sides : null;
});

const concatenation = float((shapes, inputs) => {
  const [axis] = numbersOf(inputs.at(-1)!) ?? [];
  const first = shapes[0]!;
  if (axis === undefined || axis < 0 || axis >= first.length) return null;
  const rest = (shape: readonly number[]): string => String(shape.toSpliced(axis, 1, -1));
  if (shapes.some((shape) => rest(shape) !== rest(first))) return null;
  return first.with(
    axis,
    shapes.reduce((sum, shape) => sum + shape[axis]!, 0),
  );
});

const padding = float(([shape], inputs) => {
  const pads = numbersOf(inputs[1]!);
  if (pads?.length !== 2 * shape!.length || pads.some((pad) => pad < 0)) return null;
  return shape!.map((side, axis) => pads[2 * axis]! + side + pads[2 * axis + 1]!);
});

const pooling = float(([shape], _, { ksize, strides, padding, data_format }) => {
  const isSame = padding?.value === 'SAME';
  if (data_format?.value !== 'NHWC' || !(isSame || padding?.value === 'VALID')) return null;
  const [sizes, steps] = [ksize, strides].map((attribute) => attribute!.value as readonly number[]);
  const sides = shape!.map((side, axis) => Math.ceil((isSame ? side : side - sizes![axis]! + 1) / steps![axis]!));
  return sides.every((side) => side > 0) ? sides : null;
});

const choice: Rule = ([condition, x, y]) => {
  const isPlain = condition!.dtype === DT.bool && x!.dtype === DT.float32 && y!.dtype === DT.float32;
  const areSame = String(x!.shape) === String(y!.shape) && String(condition!.shape) === String(x!.shape);
  return isPlain && areSame ? ofFloat(x!.shape) : null;
};

const cast: Rule = ([x], { DstT }) => (DstT?.kind === 'type' ? [{ shape: x!.shape, dtype: DstT.value }] : null);

const each = (ops: readonly string[], rule: Rule): Record<string, Rule> =>
  Object.fromEntries(ops.map((op) => [op, rule]));

/** Output shapes of ops on arrays as large as activations, in float32: a trial would take their memory, which TensorFlow then keeps. */
export const arrayRules: Readonly<Record<string, Rule>> = {
  ...each(['Erf', 'Exp', 'Neg', 'Relu6', 'Rsqrt', 'Sigmoid', 'Softmax', 'Sqrt', 'Square', 'Tanh'], same),
  ...each(['Add', 'AddV2', 'Maximum', 'Minimum', 'Mul', 'RealDiv', 'SquaredDifference', 'Sub'], pair),
  ...each(['Greater', 'GreaterEqual', 'Less', 'LessEqual'], asBool(pair)),
  ...each(['Max', 'Mean', 'Sum'], reduction),
  ...each(['AvgPool', 'MaxPool'], pooling),
  BiasAdd: same,
  IsNan: asBool(same),
  Cast: cast,
  ConcatV2: concatenation,
  PadV2: padding,
  Reshape: reshape,
  Select: choice,
  Slice: slice,
  Transpose: transposition,
};
