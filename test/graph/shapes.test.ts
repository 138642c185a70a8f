import { expect, test } from 'vitest';
import { hasCustomOps } from '../../src/backend/native.ts';
import { type Attribute, DT } from '../../src/graph/recording.ts';
import { type RuleInput, shapeRules } from '../../src/graph/shape-rules.ts';
import { createShapeInference } from '../../src/graph/shapes.ts';
import { describeNative } from '../step/captured-support.ts';

const float = (...shape: number[]): RuleInput => ({ shape, dtype: DT.float32 });
const sizes = (...values: number[]): RuleInput => ({
  shape: [values.length],
  dtype: DT.int32,
  value: new Uint8Array(Int32Array.from(values).buffer),
});
const type: Attribute = { kind: 'type', value: DT.float32 };
const ints = (...value: number[]): Attribute => ({ kind: 'ints', value });
const text = (value: string): Attribute => ({ kind: 'string', value });
const T = { T: type };
const NHWC = { ...T, data_format: text('NHWC') };
const pooling = { ...NHWC, ksize: ints(1, 2, 2, 1), strides: ints(1, 2, 2, 1), padding: text('VALID') };

const convolutions = ['SAME', 'VALID', 'EXPLICIT'].flatMap((padding) =>
  [1, 2, 3].flatMap((stride) =>
    [1, 2].map((dilation) => ({
      ...NHWC,
      padding: text(padding),
      strides: ints(1, stride, stride, 1),
      dilations: ints(1, dilation, dilation, 1),
      ...(padding === 'EXPLICIT' ? { explicit_paddings: ints(0, 0, 1, 2, 0, 1, 0, 0) } : {}),
    })),
  ),
);
const plain = convolutions[0]!;
const norm = {
  ...NHWC,
  U: type,
  epsilon: { kind: 'float', value: 1e-3 },
  is_training: { kind: 'bool', value: true },
} as const;
const [x, c] = [float(2, 7, 6, 3), float(3)];
const [x16, c16] = [float(2, 7, 6, 16), float(16)];
const momentum = { ...T, momentum: norm.epsilon, decay: norm.epsilon, nesterov: norm.is_training };
const count = (value: number): Attribute => ({ kind: 'int', value });
const own = { ...T, residuals: count(0), epsilon: norm.epsilon, momentum: norm.epsilon };
const ownGradient = { ...T, summands: count(1), outputs: count(0), kept: count(0) };

type Case = [op: string, attributes: Record<string, Attribute>, inputs: RuleInput[], outputs: number];

const products: Case[] = [false, true].flatMap((adjX) =>
  [false, true].map((adjY): Case => {
    const attributes = { ...T, adj_x: { kind: 'bool', value: adjX }, adj_y: { kind: 'bool', value: adjY } } as const;
    return [
      'BatchMatMulV2',
      attributes,
      [adjX ? float(2, 5, 3) : float(2, 3, 5), adjY ? float(2, 4, 5) : float(2, 5, 4)],
      1,
    ];
  }),
);

const cases: Case[] = [
  ...products,
  ['BatchMatMulV2', T, [float(3, 5), float(5, 4)], 1],
  ...convolutions.map((attributes) => ['Conv2D', attributes, [x, float(3, 2, 3, 5)], 1] as Case),
  ['Conv2DBackpropInput', plain, [sizes(2, 7, 6, 3), float(3, 3, 3, 5), float(2, 7, 6, 5)], 1],
  ['Conv2DBackpropFilter', plain, [x, sizes(3, 3, 3, 5), float(2, 7, 6, 5)], 1],
  ['FusedBatchNormV3', norm, [x, c, c, c, c], 6],
  ['FusedBatchNormGradV3', norm, [x, x, c, c, c, float(0)], 5],
  ['TailmixBatchNorm', own, [x16, c16, c16, c16, c16], 5],
  ['TailmixBatchNormGrad', ownGradient, [x16, x16, c16, c16, c16, c16], 3],
  ['TailmixConv2D', { ...T, biases: count(0), residuals: count(0) }, [x16, float(3, 3, 16, 32)], 1],
  ['TailmixConv2DBackpropInput', T, [float(3, 3, 16, 32), float(2, 7, 6, 32)], 1],
  ['TailmixConv2DBackpropFilter', T, [x16, float(2, 7, 6, 32)], 1],
  ['TailmixSgd', momentum, [x, x, x, float()], 2],
  ['TailmixLayerNorm', { ...T, epsilon: norm.epsilon }, [x16, c16, c16], 3],
  ['TailmixLayerNormGrad', T, [x16, x16, c16, float(2, 7, 6), float(2, 7, 6)], 1],
  ['TailmixLayerNormSums', T, [x16, x16, float(2, 7, 6), float(2, 7, 6)], 2],
  ['TailmixGelu', T, [x], 1],
  ['TailmixGeluGrad', T, [x, x], 1],
  ['TailmixSoftmaxGrad', T, [x, x], 1],
  ['Relu', T, [x], 1],
  ['ReluGrad', T, [x, x], 1],
  ['MaxPoolGrad', pooling, [x, float(2, 3, 3, 3), float(2, 3, 3, 3)], 1],
  ['AvgPoolGrad', pooling, [sizes(2, 7, 6, 3), float(2, 3, 3, 3)], 1],
];

const bool = (value: boolean): Attribute => ({ kind: 'bool', value });
const where = (...shape: number[]): RuleInput => ({ shape, dtype: DT.bool });
const toHalf = { SrcT: type, DstT: { kind: 'type', value: DT.bfloat16 }, Truncate: bool(false) } as const;
const sameSize = { ...pooling, padding: text('SAME'), ksize: ints(1, 3, 3, 1) };

const arrays: Case[] = [
  ...['Erf', 'Exp', 'Neg', 'Relu6', 'Rsqrt', 'Sigmoid', 'Softmax', 'Sqrt', 'Square', 'Tanh', 'IsNan'].map(
    (op): Case => [op, T, [x], 1],
  ),
  ...['Add', 'AddV2', 'Maximum', 'Minimum', 'Mul', 'RealDiv', 'SquaredDifference', 'Sub'].flatMap((op): Case[] => [
    [op, T, [x, x], 1],
    [op, T, [c, x], 1],
    [op, T, [float(2, 1, 6, 1), float(7, 1, 3)], 1],
    [op, T, [float(), float(0, 3)], 1],
  ]),
  ...['Greater', 'GreaterEqual', 'Less', 'LessEqual'].map((op): Case => [op, T, [x, float()], 1]),
  ...['Max', 'Mean', 'Sum'].flatMap((op): Case[] => [
    [op, { ...T, keep_dims: bool(false) }, [x, sizes(1, 2)], 1],
    [op, { ...T, keep_dims: bool(true) }, [x, sizes(-1)], 1],
    [op, { ...T, keep_dims: bool(false) }, [x, sizes()], 1],
  ]),
  ...['AvgPool', 'MaxPool'].flatMap((op): Case[] => [
    [op, pooling, [x], 1],
    [op, sameSize, [x], 1],
  ]),
  ['BiasAdd', NHWC, [x, c], 1],
  ['Cast', toHalf, [x], 1],
  ['ConcatV2', { ...T, N: count(2) }, [x, float(2, 7, 1, 3), { ...sizes(2), shape: [] }], 1],
  ['PadV2', T, [float(2, 3), { ...sizes(0, 1, 2, 0), shape: [2, 2] }, float()], 1],
  ['Reshape', T, [x, sizes(14, -1, 3)], 1],
  ['Reshape', T, [x, sizes(252)], 1],
  ['Select', T, [where(2, 3), float(2, 3), float(2, 3)], 1],
  ['Slice', T, [x, sizes(1, 0, 2, 1), sizes(1, -1, 3, 2)], 1],
  ['Transpose', T, [x, sizes(3, 0, 2, 1)], 1],
  ...convolutions.map((attributes): Case => ['DepthwiseConv2dNative', attributes, [x, float(3, 2, 3, 2)], 1]),
  ['DepthwiseConv2dNativeBackpropInput', plain, [sizes(2, 7, 6, 3), float(3, 3, 3, 2), float(2, 7, 6, 6)], 1],
  ['DepthwiseConv2dNativeBackpropFilter', plain, [x, sizes(3, 3, 3, 2), float(2, 7, 6, 6)], 1],
];
cases.push(...arrays);

/** What does not fit, or is of another type: TensorFlow says what is wrong, or knows it. */
const asked: [op: string, attributes: Record<string, Attribute>, inputs: RuleInput[]][] = [
  ['Add', T, [float(2, 3), float(2, 4)]],
  [
    'Mul',
    T,
    [
      { shape: [2], dtype: DT.int32 },
      { shape: [2], dtype: DT.int32 },
    ],
  ],
  ['Sum', T, [float(2, 3), sizes(2)]],
  ['Sum', T, [float(2, 3), { shape: [1], dtype: DT.int32 }]],
  ['Reshape', T, [float(2, 3), sizes(4)]],
  ['Reshape', T, [float(2, 3), sizes(4, -1)]],
  ['Reshape', T, [float(0, 3), sizes(0, -1)]],
  ['Slice', T, [float(2, 3), sizes(0, 1), sizes(2, 3)]],
  ['ConcatV2', T, [float(2, 3), float(3, 3), { ...sizes(1), shape: [] }]],
  ['PadV2', T, [float(2, 3), sizes(0, -1, 2, 0), float()]],
  ['Transpose', T, [float(2, 3), sizes(0, 0)]],
  ['MaxPool', { ...pooling, ksize: ints(1, 9, 9, 1) }, [x]],
  ['MaxPool', { ...pooling, padding: text('EXPLICIT') }, [x]],
  ['Select', T, [where(2), float(2, 3), float(2, 3)]],
];

describeNative('shape rules', (use) => {
  test.for(cases)('%s agrees with TensorFlow %o', ([op, attributes, inputs, outputs], { skip }) => {
    if (op.startsWith('Tailmix') && !hasCustomOps()) skip("tailmix's custom ops are not loaded");
    const ruled = shapeRules[op]!(inputs, attributes);
    expect(ruled).not.toBeNull();
    expect(ruled).toEqual(createShapeInference(use().binding!).execute(op, attributes, inputs, outputs));
  });

  test.for(asked)('%s of other arrays is left to TensorFlow %o', ([op, attributes, inputs]) => {
    expect(shapeRules[op]!(inputs, attributes)).toBeNull();
  });

  test('products of matrices that are repeated are left to TensorFlow', () => {
    expect(shapeRules.BatchMatMulV2!([float(2, 3, 5), float(5, 4)], T)).toBeNull();
    expect(shapeRules.BatchMatMulV2!([float(3, 5), float(4, 5)], T)).toBeNull();
  });

  test('every rule is tried', () => {
    expect(new Set(cases.map(([op]) => op))).toEqual(new Set(Object.keys(shapeRules)));
  });

  test('an op is tried once per combination of shapes, constants included', () => {
    const binding = use().binding!;
    let ops = 0;
    const counting = Object.create(binding, {
      executeOp: {
        value: (...call: Parameters<typeof binding.executeOp>) => {
          if (call[0] === 'Tile') ops++;
          return binding.executeOp(...call);
        },
      },
    });
    const before = binding.getNumOfTensors();
    const { infer } = createShapeInference(counting);
    const attributes = { ...T, Tmultiples: { kind: 'type', value: DT.int32 } } as const;
    const tile = (...times: number[]) => infer('Tile', attributes, [float(2, 6), sizes(...times)], 1)[0]!.shape;
    expect([tile(3, 1), tile(3, 1), tile(1, 2), tile(1, 1)]).toEqual([
      [6, 6],
      [6, 6],
      [2, 12],
      [2, 6],
    ]);
    expect(ops).toBe(3);
    expect(binding.getNumOfTensors()).toBe(before);
  });
});
