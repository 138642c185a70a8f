import { DT, type Endpoint, type OpNode } from '../../graph/index.ts';
import { opNotMapped } from '../errors.ts';
import { type Builder, type Layout, type Mapping, TO_CHANNELS_FIRST, type Value } from './builder.ts';
import { ONNX_TYPES, type OnnxAttribute } from './proto.ts';
import { convolution, depthwiseConvolution, pooling } from './windows.ts';

const plain = (name: string): Value => ({ name, layout: 'tensorflow' });

/** An op that computes each element by itself keeps the layout. */
const unary =
  (op: string, attributes?: (node: OpNode) => Record<string, OnnxAttribute>): Mapping =>
  (node, builder) => {
    const layout = builder.layoutOf(node.inputs[0]!);
    return { name: builder.emit(op, [builder.get(node.inputs[0]!, layout)], attributes?.(node)), layout };
  };

const floatAttribute = (name: string) => (node: OpNode) => ({
  [name]: { float: node.attributes[name]!.value as number },
});

/** Inputs in one layout: channels first where one of them lies so and all others can. */
function together(builder: Builder, inputs: readonly Endpoint[]): { names: string[]; layout: Layout } {
  const computed = inputs.filter((input) => builder.constantAt(input) === null);
  const isFirst = computed.some((input) => builder.layoutOf(input) === 'channels-first');
  const canBeFirst = inputs.every((input) => {
    const rank = builder.shapeOf(input).length;
    return rank === 4 || rank === 0 || builder.constantAt(input) !== null;
  });
  const layout = isFirst && canBeFirst ? 'channels-first' : 'tensorflow';
  const nameOf = (input: Endpoint): string =>
    builder.get(input, builder.shapeOf(input).length === 0 ? 'tensorflow' : layout);
  return { names: inputs.map(nameOf), layout };
}

/** An op on inputs whose shapes are broadcast. */
const broadcast =
  (op: string): Mapping =>
  (node, builder) => {
    const { names, layout } = together(builder, node.inputs);
    return { name: builder.emit(op, names), layout };
  };

/** Where an axis of a tensor is in a layout. */
const axisIn = (layout: Layout, axis: number): number =>
  layout === 'channels-first' ? TO_CHANNELS_FIRST.indexOf(axis as 0 | 1 | 2 | 3) : axis;

const positive = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** A reduction over constant axes. */
const reduction =
  (op: string): Mapping =>
  (node, builder) => {
    const x = node.inputs[0]!;
    const rank = builder.shapeOf(x).length;
    const axes = builder.integersAt(node, 1).map((axis) => positive(axis, rank));
    const keepdims = Number(node.attributes.keep_dims?.value ?? false);
    // Over height and width alone both layouts give [batch, channels].
    const keepsOrder = keepdims === 1 || (axes.includes(1) && axes.includes(2));
    const layout = keepsOrder ? builder.layoutOf(x) : 'tensorflow';
    const own = axes.map((axis) => axisIn(layout, axis)).sort((a, b) => a - b);
    const input = builder.get(x, layout);
    const name =
      op === 'ReduceSum'
        ? builder.emit(op, [input, builder.integers(own)], { keepdims })
        : builder.emit(op, [input], { axes: own, keepdims });
    return { name, layout: keepdims === 1 ? layout : 'tensorflow' };
  };

const reshape: Mapping = (node, builder) => {
  const x = node.inputs[0]!;
  const [, height, width] = builder.shapeOf(x);
  const isOnePixel = builder.shapeOf(x).length === 4 && height === 1 && width === 1;
  const input = builder.get(x, isOnePixel ? builder.layoutOf(x) : 'tensorflow');
  return plain(builder.emit('Reshape', [input, builder.integers(builder.integersAt(node, 1))]));
};

const pad: Mapping = (node, builder) => {
  const x = node.inputs[0]!;
  const layout = builder.layoutOf(x);
  const paddings = builder.integersAt(node, 1);
  const axes = builder.shapeOf(x).map((_, axis) => (layout === 'channels-first' ? TO_CHANNELS_FIRST[axis]! : axis));
  const pads = [...axes.map((axis) => paddings[2 * axis]!), ...axes.map((axis) => paddings[2 * axis + 1]!)];
  const value = node.inputs[2] ? [builder.get(node.inputs[2], 'tensorflow')] : [];
  return { name: builder.emit('Pad', [builder.get(x, layout), builder.integers(pads), ...value]), layout };
};

const matrixProduct: Mapping = (node, builder) => {
  const factors = (['adj_x', 'adj_y'] as const).map((flag, i) => {
    const from = node.inputs[i]!;
    const name = builder.get(from, 'tensorflow');
    if (node.attributes[flag]?.value !== true) return name;
    const axes = builder.shapeOf(from).map((_, axis) => axis);
    return builder.emit('Transpose', [name], { perm: [...axes.slice(0, -2), axes.at(-1)!, axes.at(-2)!] });
  });
  return plain(builder.emit('MatMul', factors));
};

const concatenation: Mapping = (node, builder) => {
  const parts = node.inputs.slice(0, -1);
  const [axis] = builder.integersAt(node, node.inputs.length - 1);
  const { names, layout } = together(builder, parts);
  const rank = builder.shapeOf(parts[0]!).length;
  return { name: builder.emit('Concat', names, { axis: axisIn(layout, positive(axis!, rank)) }), layout };
};

const normalisation: Mapping = (node, builder) => {
  if (node.attributes.is_training?.value !== false) throw opNotMapped('ONNX', node.op, ' in training', node.owner);
  const [x, ...vectors] = node.inputs;
  const inputs = [builder.get(x!, 'channels-first'), ...vectors.map((vector) => builder.get(vector, 'tensorflow'))];
  const name = builder.emit('BatchNormalization', inputs, floatAttribute('epsilon')(node));
  return { name, layout: 'channels-first' };
};

const cast: Mapping = (node, builder) => {
  const types: Readonly<Record<number, number>> = {
    [DT.float32]: ONNX_TYPES.float32,
    [DT.int32]: ONNX_TYPES.int32,
    [DT.bool]: ONNX_TYPES.bool,
  };
  const to = types[node.attributes.DstT!.value as number];
  if (to === undefined) throw opNotMapped('ONNX', node.op, ' to another type', node.owner);
  return unary('Cast', () => ({ to }))(node, builder);
};

const slice: Mapping = (node, builder) => {
  const begins = builder.integersAt(node, 1);
  const sizes = builder.integersAt(node, 2);
  const ends = sizes.map((size, axis) => (size < 0 ? Number.MAX_SAFE_INTEGER : begins[axis]! + size));
  const inputs = [begins, ends, begins.map((_, axis) => axis)].map((values) => builder.integers(values));
  return plain(builder.emit('Slice', [builder.get(node.inputs[0]!, 'tensorflow'), ...inputs]));
};

/** An op on a tensor as TensorFlow has it, with integers of the next input as an input or an attribute. */
const arranged =
  (op: string, attribute?: string): Mapping =>
  (node, builder) => {
    const integers = builder.integersAt(node, 1);
    const input = builder.get(node.inputs[0]!, 'tensorflow');
    return plain(
      attribute === undefined
        ? builder.emit(op, [input, builder.integers(integers)])
        : builder.emit(op, [input], { [attribute]: integers }),
    );
  };

const gather: Mapping = (node, builder) => {
  const [axis] = builder.integersAt(node, 2);
  const inputs = node.inputs.slice(0, 2).map((input) => builder.get(input, 'tensorflow'));
  return plain(builder.emit('Gather', inputs, { axis: axis! }));
};

const softmax: Mapping = (node, builder) =>
  plain(builder.emit('Softmax', [builder.get(node.inputs[0]!, 'tensorflow')], { axis: -1 }));

/** One mapping after another, on the same input. */
const sameInput =
  (compute: (builder: Builder, x: string) => string): Mapping =>
  (node, builder) => {
    const layout = builder.layoutOf(node.inputs[0]!);
    return { name: compute(builder, builder.get(node.inputs[0]!, layout)), layout };
  };

const squaredDifference: Mapping = (node, builder) => {
  const { name, layout } = broadcast('Sub')(node, builder);
  return { name: builder.emit('Mul', [name, name]), layout };
};

/** Select, whose condition may also be a vector with an entry per row. */
const choice: Mapping = (node, builder) => {
  const [condition, chosen] = node.inputs.map((input) => builder.shapeOf(input).length);
  if (condition !== chosen) throw opNotMapped('ONNX', node.op, ' by rows', node.owner);
  return broadcast('Where')(node, builder);
};

/** TensorFlow's op by ONNX's; each gives the same numbers. */
export const mappings: Readonly<Record<string, Mapping>> = {
  Cast: cast,
  ...Object.fromEntries(
    ['Abs', 'Ceil', 'Cos', 'Erf', 'Exp', 'Floor', 'Log', 'Neg', 'Reciprocal', 'Relu', 'Round', 'Sigmoid', 'Sign', 'Sin']
      .concat(['Softplus', 'Sqrt', 'Tanh'])
      .map((op) => [op, unary(op)]),
  ),
  Elu: unary('Elu'),
  Selu: unary('Selu'),
  LeakyRelu: unary('LeakyRelu', floatAttribute('alpha')),
  LogicalNot: unary('Not'),
  Relu6: sameInput((builder, x) => builder.emit('Clip', [x, builder.floats([0], []), builder.floats([6], [])])),
  Rsqrt: sameInput((builder, x) => builder.emit('Reciprocal', [builder.emit('Sqrt', [x])])),
  Square: sameInput((builder, x) => builder.emit('Mul', [x, x])),
  Add: broadcast('Add'),
  AddN: broadcast('Sum'),
  BiasAdd: broadcast('Add'),
  Sub: broadcast('Sub'),
  Mul: broadcast('Mul'),
  RealDiv: broadcast('Div'),
  Pow: broadcast('Pow'),
  Maximum: broadcast('Max'),
  Minimum: broadcast('Min'),
  Greater: broadcast('Greater'),
  GreaterEqual: broadcast('GreaterOrEqual'),
  Less: broadcast('Less'),
  LessEqual: broadcast('LessOrEqual'),
  Equal: broadcast('Equal'),
  LogicalAnd: broadcast('And'),
  LogicalOr: broadcast('Or'),
  Select: choice,
  SquaredDifference: squaredDifference,
  Conv2D: convolution,
  DepthwiseConv2dNative: depthwiseConvolution,
  AvgPool: pooling('AveragePool'),
  MaxPool: pooling('MaxPool'),
  FusedBatchNormV3: normalisation,
  BatchMatMulV2: matrixProduct,
  Softmax: softmax,
  Sum: reduction('ReduceSum'),
  Mean: reduction('ReduceMean'),
  Max: reduction('ReduceMax'),
  Min: reduction('ReduceMin'),
  Prod: reduction('ReduceProd'),
  Reshape: reshape,
  PadV2: pad,
  ConcatV2: concatenation,
  Slice: slice,
  Transpose: arranged('Transpose', 'perm'),
  Tile: arranged('Tile'),
  ExpandDims: arranged('Unsqueeze'),
  GatherV2: gather,
};
