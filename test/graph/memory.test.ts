import { expect, test } from 'vitest';
import { peakBytes } from '../../src/graph/memory.ts';
import { DT, type OpNode, type RecordedNode } from '../../src/graph/recording.ts';

const float = (...shape: number[]) => [{ shape, dtype: DT.float32 }];
const op = (name: string, inputs: number[], outputs: OpNode['outputs']): OpNode => ({
  kind: 'op',
  op: name,
  attributes: {},
  inputs: inputs.map((node) => ({ node, output: 0 })),
  outputs,
});
const nodes: RecordedNode[] = [
  { kind: 'input', name: 'x', outputs: [{ shape: [10], dtype: DT.uint8 }] },
  { kind: 'state', name: 'w', outputs: float(10) },
  op('Cast', [0], float(10)),
  op('Mul', [2, 1], float(10)),
  op('Reshape', [3], float(5, 2)),
  op('Sum', [4], float()),
];

test('an output takes memory from its node to the last that uses it; inputs and state all the time', () => {
  const [inputs, tensor, scalar] = [10 + 40, 40, 4];
  const sum = { loss: { node: 5, output: 0 } };
  // The product of two: both factors and the product at once.
  expect(peakBytes({ nodes, outputs: sum, state: {} })).toBe(inputs + 2 * tensor);
  // Next state is held until the end, behind its other shape too.
  const more = [...nodes, op('Exp', [2], float(10))];
  const kept = { ...sum, x: { node: 6, output: 0 } };
  expect(peakBytes({ nodes: more, outputs: kept, state: { w: { node: 4, output: 0 } } })).toBe(
    inputs + 3 * tensor + scalar,
  );
  expect(peakBytes({ nodes: more, outputs: kept, state: {} })).toBe(inputs + 2 * tensor + scalar);
});

test('elements have the size of their type', () => {
  const sizes = Object.entries({ uint8: 1, bool: 1, bfloat16: 2, float32: 4, int32: 4, int64: 8 } as const);
  for (const [name, bytes] of sizes) {
    const cast = op('Cast', [0], [{ shape: [10], dtype: DT[name as keyof typeof DT] }]);
    expect(peakBytes({ nodes: [nodes[0]!, cast], outputs: {}, state: {} })).toBe(10 + 10 * bytes);
  }
});
