import { expect, test } from 'vitest';
import { macsOf } from '../../src/graph/macs.ts';
import { DT, type OpNode, type RecordedNode } from '../../src/graph/recording.ts';

const float = (shape: number[]) => [{ shape, dtype: DT.float32 }];
const given = (kind: 'input' | 'state', ...shape: number[]): RecordedNode => ({
  kind,
  name: 'x',
  outputs: float(shape),
});

/** Of one op on nodes that are given. */
function macsOfOp(
  op: string,
  inputs: readonly RecordedNode[],
  output: number[],
  attributes: OpNode['attributes'] = {},
): number {
  const from = inputs.map((_, node) => ({ node, output: 0 }));
  return macsOf({ nodes: [...inputs, { kind: 'op', op, attributes, inputs: from, outputs: float(output) }] });
}

const yes = { kind: 'bool', value: true } as const;

test('products of matrices: rows × columns × what is summed over, of each matrix', () => {
  const [x, w] = [given('input', 2, 5), given('state', 5, 7)];
  expect(macsOfOp('MatMul', [x, w], [2, 7])).toBe(2 * 5 * 7);
  expect(macsOfOp('MatMul', [given('input', 5, 2), w], [2, 7], { transpose_a: yes })).toBe(2 * 5 * 7);
  const [q, k] = [given('input', 3, 4, 6, 8), given('input', 3, 4, 9, 8)];
  expect(macsOfOp('BatchMatMulV2', [q, k], [3, 4, 6, 9], { adj_y: yes })).toBe(3 * 4 * 6 * 8 * 9);
  expect(macsOfOp('BatchMatMulV2', [q, given('input', 3, 4, 6, 5)], [3, 4, 8, 5], { adj_x: yes })).toBe(12 * 8 * 6 * 5);
});

test('convolutions: the filter at each place, of a group its own channels; transposed ones at each place of what is given', () => {
  const x = given('input', 2, 8, 8, 6);
  expect(macsOfOp('Conv2D', [x, given('state', 3, 3, 6, 10)], [2, 4, 4, 10])).toBe(2 * 16 * 10 * 9 * 6);
  expect(macsOfOp('Conv2D', [x, given('state', 3, 3, 2, 9)], [2, 8, 8, 9])).toBe(2 * 64 * 9 * 9 * 2);
  expect(macsOfOp('TailmixConv2D', [x, given('state', 3, 3, 6, 6)], [2, 8, 8, 6])).toBe(2 * 64 * 6 * 9 * 6);
  expect(macsOfOp('DepthwiseConv2dNative', [x, given('state', 5, 5, 6, 2)], [2, 8, 8, 12])).toBe(2 * 64 * 12 * 25);
  const up = [given('state', 4), given('state', 3, 3, 4, 6), x];
  expect(macsOfOp('Conv2DBackpropInput', up, [2, 16, 16, 4])).toBe(2 * 64 * 6 * 9 * 4);
});

test('what depends on state alone, and other ops, are not counted', () => {
  expect(macsOfOp('MatMul', [given('state', 2, 5), given('state', 5, 7)], [2, 7])).toBe(0);
  expect(macsOfOp('Mul', [given('input', 2, 5), given('state', 5)], [2, 5])).toBe(0);
});
