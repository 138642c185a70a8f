import { expect, test } from 'vitest';
import { DT, type Recording, type TensorSpec } from '../../src/graph/index.ts';
import { lower } from '../../src/pjrt/lower.ts';
import { lowerings } from '../../src/pjrt/ops/index.ts';

const spec: TensorSpec = { shape: [1, 2, 2, 2], dtype: DT.float32 };

/** An op of five images, of which some ops use fewer. */
const recording = (op: string, data_format: string): Recording => ({
  nodes: [
    { kind: 'input', name: 'x', outputs: [spec] } as unknown as Recording['nodes'][number],
    {
      kind: 'op',
      op,
      outputs: [spec],
      inputs: Array.from({ length: 5 }, () => ({ node: 0, output: 0 })),
      attributes: { data_format: { type: 'string', value: data_format } },
    } as unknown as Recording['nodes'][number],
  ],
  outputs: { y: { node: 1, output: 0 } },
  state: {},
});

test.each([
  'Conv2D',
  'Conv2DBackpropFilter',
  'FusedBatchNormV3',
  'FusedBatchNormGradV3',
  'AvgPool',
  'MaxPoolGrad',
  'BiasAdd',
  'DepthToSpace',
])('%s of images whose channels come first is refused, and not computed as if they came last', (op) => {
  expect(lowerings.has(op)).toBe(true);
  expect(() => lower(recording(op, 'NCHW'))).toThrow(`${op} is not: its channels come first`);
});

test('whose channels come last are not', () => {
  expect(lower(recording('BiasAdd', 'NHWC')).text).toContain('stablehlo.add');
});
