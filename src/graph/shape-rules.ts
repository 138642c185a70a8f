import { arrayRules } from './array-rules.ts';
import { type Attribute, DT, type TensorSpec } from './recording.ts';

/** An input of an op, with its value where that is constant. */
export interface RuleInput extends TensorSpec {
  value?: Uint8Array | readonly Uint8Array[];
}

/** Outputs of an op from its inputs and attributes; null where TensorFlow has to be asked. */
export type Rule = (
  inputs: readonly RuleInput[],
  attributes: Readonly<Record<string, Attribute>>,
) => TensorSpec[] | null;

/** As the input at that position. */
const like =
  (position: number): Rule =>
  (inputs) => {
    const { shape, dtype } = inputs[position]!;
    return [{ shape, dtype }];
  };

/** As the constant at `sizes` says, with the type of the input at `position`. */
const sized =
  (sizes: number, position: number): Rule =>
  (inputs) => {
    const { value } = inputs[sizes]!;
    if (!(value instanceof Uint8Array)) return null;
    return [{ shape: [...new Int32Array(value.buffer)], dtype: inputs[position]!.dtype }];
  };

const convolution: Rule = ([x, filter], { strides, padding, dilations, data_format, explicit_paddings }) => {
  if (data_format?.value !== 'NHWC') return null;
  const [batch, ...sides] = x!.shape;
  const length = (axis: 0 | 1): number => {
    const stride = (strides!.value as readonly number[])[axis + 1]!;
    const dilation = (dilations?.value as readonly number[] | undefined)?.[axis + 1] ?? 1;
    if (padding!.value === 'SAME') return Math.ceil(sides[axis]! / stride);
    const pads = (explicit_paddings?.value ?? []) as readonly number[];
    const padded = sides[axis]! + (pads[2 * axis + 2] ?? 0) + (pads[2 * axis + 3] ?? 0);
    return Math.ceil((padded - (filter!.shape[axis]! - 1) * dilation) / stride);
  };
  return [{ shape: [batch!, length(0), length(1), filter!.shape[3]!], dtype: x!.dtype }];
};

const depthwise: Rule = ([x, filter], attributes) => {
  const [height, width, channels, times] = filter!.shape;
  return convolution([x!, { ...filter!, shape: [height!, width!, channels!, channels! * times!] }], attributes);
};

/** Of as many matrices on both sides; where one side is repeated, TensorFlow is asked. */
const product: Rule = ([x, y], { adj_x, adj_y }) => {
  const [left, right] = [x!.shape, y!.shape];
  if (String(left.slice(0, -2)) !== String(right.slice(0, -2))) return null;
  const [rows, columns] = [left.at(adj_x?.value ? -1 : -2)!, right.at(adj_y?.value ? -2 : -1)!];
  const fits = left.at(adj_x?.value ? -2 : -1) === right.at(adj_y?.value ? -1 : -2);
  return fits ? [{ shape: [...left.slice(0, -2), rows, columns], dtype: x!.dtype }] : null;
};

const vectors = (spec: TensorSpec, ...sizes: readonly (readonly number[])[]): TensorSpec[] =>
  sizes.map((shape) => ({ shape, dtype: spec.dtype }));

/** Output shapes of ops that cannot be tried by one process alone. */
export const collectiveRules: Readonly<Record<string, Rule>> = {
  TailmixAcross: ([own], { replicas }) => [{ shape: [replicas!.value as number, ...own!.shape], dtype: own!.dtype }],
  CollectiveReduceV2: like(0),
  CollectiveGatherV2: ([x, group]) => {
    const [rows, ...rest] = x!.shape;
    const size = new Int32Array((group!.value as Uint8Array).slice().buffer)[0]!;
    return [{ shape: [rows! * size, ...rest], dtype: x!.dtype }];
  },
};

/**
 * Output shapes of the ops that take longest to try, or most memory. What is missing here, or gives null, is tried.
 */
export const shapeRules: Readonly<Record<string, Rule>> = {
  ...arrayRules,
  BatchMatMulV2: product,
  Conv2D: convolution,
  DepthwiseConv2dNative: depthwise,
  Conv2DBackpropInput: sized(0, 2),
  Conv2DBackpropFilter: sized(1, 2),
  FusedBatchNormV3: ([x, scale]) => {
    const { shape } = scale!;
    return [{ shape: x!.shape, dtype: x!.dtype }, ...vectors(scale!, shape, shape, shape, shape, [0])];
  },
  FusedBatchNormGradV3: ([dy, , scale]) => {
    const { shape } = scale!;
    return [{ shape: dy!.shape, dtype: dy!.dtype }, ...vectors(scale!, shape, shape, [], [])];
  },
  TailmixBatchNorm: ([x, scale]) => {
    const { shape } = scale!;
    return [{ shape: x!.shape, dtype: x!.dtype }, ...vectors(scale!, shape, shape, shape, shape)];
  },
  TailmixBatchNormGrad: ([dy, , scale]) => {
    const { shape } = scale!;
    return [{ shape: dy!.shape, dtype: dy!.dtype }, ...vectors(scale!, shape, shape)];
  },
  TailmixConv2D: ([x, filter]) => [{ shape: [...x!.shape.slice(0, 3), filter!.shape[3]!], dtype: x!.dtype }],
  TailmixConv2DBackpropInput: ([filter, dy]) => [
    { shape: [...dy!.shape.slice(0, 3), filter!.shape[2]!], dtype: dy!.dtype },
  ],
  TailmixConv2DBackpropFilter: ([x, dy], { size }) => {
    const side = (size?.value ?? 3) as number;
    return [{ shape: [side, side, x!.shape[3]!, dy!.shape[3]!], dtype: DT.float32 }];
  },
  TailmixSgd: ([weight]) => [weight!, weight!].map(({ shape, dtype }) => ({ shape, dtype })),
  TailmixLayerNorm: ([x]) => {
    const rows = x!.shape.slice(0, -1);
    return vectors(x!, x!.shape, rows, rows);
  },
  TailmixLayerNormGrad: like(1),
  TailmixLayerNormSums: ([, x]) => vectors(x!, x!.shape.slice(-1), x!.shape.slice(-1)),
  TailmixGelu: like(0),
  TailmixGeluGrad: like(1),
  TailmixSoftmaxGrad: like(0),
  DepthwiseConv2dNativeBackpropInput: sized(0, 2),
  DepthwiseConv2dNativeBackpropFilter: sized(1, 2),
  Relu: like(0),
  ReluGrad: like(0),
  MaxPoolGrad: like(0),
  AvgPoolGrad: sized(0, 1),
};
