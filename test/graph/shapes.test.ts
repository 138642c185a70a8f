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

describeNative('shape rules', (use) => {
  test.for(cases)('%s agrees with TensorFlow %o', ([op, attributes, inputs, outputs], { skip }) => {
    if (op.startsWith('Tailmix') && !hasCustomOps()) skip("tailmix's custom ops are not loaded");
    const ruled = shapeRules[op]!(inputs, attributes);
    expect(ruled).not.toBeNull();
    expect(ruled).toEqual(createShapeInference(use().binding!).execute(op, attributes, inputs, outputs));
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
          if (call[0] === 'Reshape') ops++;
          return binding.executeOp(...call);
        },
      },
    });
    const before = binding.getNumOfTensors();
    const { infer } = createShapeInference(counting);
    const reshape = (...shape: number[]) => infer('Reshape', T, [float(2, 6), sizes(...shape)], 1)[0]!.shape;
    expect([reshape(3, 4), reshape(3, 4), reshape(12), reshape(3, -1)]).toEqual([[3, 4], [3, 4], [12], [3, 4]]);
    expect(ops).toBe(3);
    expect(binding.getNumOfTensors()).toBe(before);
  });
});
