import { type Builder, i64List, paddingText, type Value } from '../builder.ts';
import { flagOf, type Lowering, type Lowerings, type OpCall } from '../op-call.ts';
import { tensorType } from '../types.ts';

/** Axes of a product: those of both that stay (`batch`) and those that are summed over (`sum`). */
interface Axes {
  batch: readonly [readonly number[], readonly number[]];
  sum: readonly [readonly number[], readonly number[]];
}

/** Batch axes first, then what is left of x, then of y. */
export function dot(b: Builder, precision: OpCall['precision'], x: Value, y: Value, { batch, sum }: Axes): Value {
  const left = (value: Value, side: 0 | 1): number[] =>
    value.shape.filter((_, i) => !batch[side].includes(i) && !sum[side].includes(i));
  const shape = [...batch[0].map((i) => x.shape[i]!), ...left(x, 0), ...left(y, 1)];
  const batching = batch[0].length > 0 ? `, batching_dims = [${batch[0]}] x [${batch[1]}]` : '';
  return b.op(
    'stablehlo.dot_general',
    [x, y],
    { shape, dtype: x.dtype },
    `${batching}, contracting_dims = [${sum[0]}] x [${sum[1]}], precision = [${precision}, ${precision}]`,
  );
}

const product =
  (left: string, right: string): Lowering =>
  (call) => {
    const { b, precision, inputs, outputs } = call;
    const rank = outputs[0]!.shape.length;
    const lead = outputs[0]!.shape.slice(0, -2);
    const [x, y] = inputs.map((value) => b.broadcast(value, [...lead, ...value.shape.slice(-2)])) as [Value, Value];
    const batch = lead.map((_, i) => i);
    const summed = (isTurned: boolean, place: 0 | 1): number[] => [isTurned === (place === 0) ? rank - 2 : rank - 1];
    const sum = [summed(flagOf(call, left), 0), summed(flagOf(call, right), 1)] as const;
    return [dot(b, precision, x, y, { batch: [batch, batch], sum })];
  };

/** Matrix products. */
export const products: Lowerings = {
  MatMul: product('transpose_a', 'transpose_b'),
  BatchMatMulV2: product('adj_x', 'adj_y'),
  Einsum: ({ b, precision, inputs, outputs, attributes, refuse }) => {
    const [terms = '', result = ''] = String(attributes.equation?.value).replaceAll(' ', '').split('->');
    const [left = '', right] = terms.split(',');
    const isPlain = [left, right, result].every(
      (letters) => letters !== undefined && new Set(letters).size === letters.length,
    );
    if (right === undefined || !isPlain || terms.includes('.')) refuse(`its equation is ${terms}->${result}`);
    const [x, y] = inputs as [Value, Value];
    const lost = (own: string, other: string): boolean =>
      [...own].some((a) => !other.includes(a) && !result.includes(a));
    if (lost(left, right!) || lost(right!, left)) refuse(`its equation is ${terms}->${result}`);
    const shared = [...left].filter((letter) => right!.includes(letter));
    const [batch, sum] = [shared.filter((a) => result.includes(a)), shared.filter((a) => !result.includes(a))];
    const placesOf = (letters: readonly string[], text: string): number[] =>
      letters.map((letter) => text.indexOf(letter));
    const made = dot(b, precision, x, y, {
      batch: [placesOf(batch, left), placesOf(batch, right!)],
      sum: [placesOf(sum, left), placesOf(sum, right!)],
    });
    const order = [...batch, ...[...left, ...right!].filter((letter) => !shared.includes(letter))];
    const turned = [...result].map((letter) => order.indexOf(letter));
    return [
      turned.every((place, i) => place === i) ? made : b.transpose(made, turned),
      ...outputs.slice(1).map(() => made),
    ];
  },
};

export interface Convolution {
  /** As `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`. */
  dims: string;
  strides: readonly number[];
  padding: readonly (readonly [number, number])[];
  /** Holes in x, and in the filter. */
  dilations?: readonly [x: readonly number[], filter: readonly number[]];
  groups?: number;
  batchGroups?: number;
}

/** A convolution, in all forms that gradients need. */
export function convolve(
  { b, precision }: Pick<OpCall, 'b' | 'precision'>,
  x: Value,
  filter: Value,
  shape: readonly number[],
  { dims, strides, padding, dilations, groups = 1, batchGroups = 1 }: Convolution,
): Value {
  const ones = strides.map(() => 1);
  const [holes, filterHoles] = dilations ?? [ones, ones];
  const spec = { shape, dtype: x.dtype };
  const attributes = [
    `window_strides = ${i64List(strides)}`,
    `padding = ${paddingText(padding)}`,
    `lhs_dilation = ${i64List(holes)}`,
    `rhs_dilation = ${i64List(filterHoles)}`,
    `dimension_numbers = #stablehlo.conv<${dims}>`,
    `feature_group_count = ${groups} : i64`,
    `batch_group_count = ${batchGroups} : i64`,
    `precision_config = [#stablehlo<precision ${precision}>, #stablehlo<precision ${precision}>]`,
  ];
  return b.emit(
    spec,
    `"stablehlo.convolution"(${x.id}, ${filter.id}) {${attributes.join(', ')}} : (${tensorType(x)}, ${tensorType(filter)}) -> ${tensorType(spec)}`,
  );
}
