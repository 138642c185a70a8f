import { sizeOf } from '../../util/shape.ts';
import { i64List, paddingText, type Value } from '../builder.ts';
import { type Lowering, type Lowerings, numberOf, type OpCall } from '../op-call.ts';
import { tensorType } from '../types.ts';
import { type Geometry, type Paddings, paddingsOf, spatial, undone, wide } from './geometry.ts';

function geometryOf(call: OpCall, input: readonly number[], output: readonly number[]): Geometry {
  const rank = input.length - 2;
  return {
    input: spatial(input),
    output: spatial(output),
    sizes: wide(call, 'ksize', rank),
    strides: wide(call, 'strides', rank),
    dilations: Array.from({ length: rank }, () => 1),
  };
}

const around = (values: readonly number[]): number[] => [1, ...values, 1];
const aroundPaddings = (paddings: Paddings): Paddings => [[0, 0], ...paddings, [0, 0]];

const largest: Lowering = (call) => {
  const x = call.inputs[0]!;
  const geometry = geometryOf(call, x.shape, call.outputs[0]!.shape);
  const padding = aroundPaddings(paddingsOf(call, geometry));
  return [call.b.window('maximum', x, around(geometry.sizes), around(geometry.strides), padding)];
};

/** How many pixels of images of this shape each window has: those around do not count. */
function counts(
  { b }: OpCall,
  { sizes, strides }: Geometry,
  paddings: Paddings,
  like: Value,
  shape: readonly number[],
): Value {
  if (paddings.flat().every((length) => length === 0)) return b.like(sizeOf(sizes), like);
  const ones = b.splat(1, shape, like.dtype);
  return b.window('add', ones, around(sizes), around(strides), aroundPaddings(paddings));
}

const average: Lowering = (call) => {
  const [{ b }, x] = [call, call.inputs[0]!];
  const geometry = geometryOf(call, x.shape, call.outputs[0]!.shape);
  const paddings = paddingsOf(call, geometry);
  const sum = b.window('add', x, around(geometry.sizes), around(geometry.strides), aroundPaddings(paddings));
  return [b.binary('divide', sum, counts(call, geometry, paddings, sum, x.shape))];
};

/** Ops over windows of images. */
export const pooling: Lowerings = {
  MaxPool: largest,
  MaxPool3D: largest,
  AvgPool: average,
  AvgPool3D: average,
  AvgPoolGrad: (call) => {
    const [{ b }, dy] = [call, call.inputs[1]!];
    const { shape } = call.outputs[0]!;
    const geometry = geometryOf(call, shape, dy.shape);
    const paddings = paddingsOf(call, geometry);
    const share = b.binary('divide', dy, counts(call, geometry, paddings, dy, shape));
    const edges = undone(geometry, paddings);
    const side = (at: 0 | 1): number[] => [0, ...edges.map((pair) => pair[at]), 0];
    const holes = [0, ...geometry.strides.map((stride) => stride - 1), 0];
    const spread = b.pad(share, b.splat(0, [], dy.dtype), side(0), side(1), holes);
    const none = shape.map((): [number, number] => [0, 0]);
    return [
      b.window(
        'add',
        spread,
        around(geometry.sizes),
        shape.map(() => 1),
        none,
      ),
    ];
  },
  /** To the first of the largest pixels of each window. */
  MaxPoolGrad: (call) => {
    const [{ b }, [x, , dy]] = [call, call.inputs as [Value, Value, Value]];
    const geometry = geometryOf(call, x.shape, dy.shape);
    const padding = aroundPaddings(paddingsOf(call, geometry));
    const zero = b.splat(0, [], x.dtype);
    const type = tensorType(zero);
    const first = `{\n    ^bb0(%a: ${type}, %b: ${type}):\n      %r = stablehlo.compare GE, %a, %b : (${type}, ${type}) -> tensor<i1>\n      stablehlo.return %r : tensor<i1>\n    }`;
    return [
      b.emit(
        x,
        `"stablehlo.select_and_scatter"(${x.id}, ${dy.id}, ${zero.id}) (${first}, ${b.region('add', x.dtype)}) {window_dimensions = ${i64List(around(geometry.sizes))}, window_strides = ${i64List(around(geometry.strides))}, padding = ${paddingText(padding)}} : (${tensorType(x)}, ${tensorType(dy)}, ${tensorType(zero)}) -> ${tensorType(x)}`,
      ),
    ];
  },
  /** `x / (bias + alpha · Σ x²)^beta`, the sum over the neighbouring channels. */
  LRN: (call) => {
    const [{ b }, x] = [call, call.inputs[0]!];
    const radius = numberOf(call, 'depth_radius', 5);
    const last = x.shape.length - 1;
    const sizes = x.shape.map((_, i) => (i === last ? 2 * radius + 1 : 1));
    const padding = x.shape.map((_, i): [number, number] => (i === last ? [radius, radius] : [0, 0]));
    const squares = b.window(
      'add',
      b.binary('multiply', x, x),
      sizes,
      x.shape.map(() => 1),
      padding,
    );
    const [bias, alpha, beta] = [numberOf(call, 'bias', 1), numberOf(call, 'alpha', 1), numberOf(call, 'beta', 0.5)];
    const base = b.binary('add', b.like(bias, x), b.binary('multiply', b.like(alpha, x), squares));
    return [b.binary('multiply', x, b.binary('power', base, b.like(-beta, x)))];
  },
};
