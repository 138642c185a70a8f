import { expect, test } from 'vitest';
import { requireFromTfjsNode } from '../../src/backend/load.ts';
import { buildGraph } from '../../src/graph/build-graph.ts';
import { expectSame } from '../../src/graph/compare.ts';
import { signatureKey } from '../../src/graph/key.ts';
import { completeAttributes, isPure, isValueShaped } from '../../src/graph/op-table.ts';
import { savedModelBytes } from '../../src/graph/proto.ts';
import { dropUnused, mergeEqual } from '../../src/graph/prune.ts';
import { DT, type OpNode, printRecording, type RecordedNode, type Recording } from '../../src/graph/recording.ts';
import { describeNative, signature } from '../step/captured-support.ts';

const float = (...shape: number[]) => [{ shape, dtype: DT.float32 }];
const bytesOf = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const constant = (...values: number[]): RecordedNode => ({
  kind: 'constant',
  outputs: float(values.length),
  value: bytesOf(...values),
});
const op = (name: string, inputs: number[], attributes: OpNode['attributes'] = {}): OpNode => ({
  kind: 'op',
  op: name,
  attributes,
  inputs: inputs.map((node) => ({ node, output: 0 })),
  outputs: float(2),
});
const x: RecordedNode = { kind: 'input', name: 'x', outputs: float(2) };
const w: RecordedNode = { kind: 'state', name: 'w', outputs: float(2) };

const recording = (...nodes: RecordedNode[]): Recording => ({
  nodes,
  outputs: { y: { node: nodes.length - 1, output: 0 } },
  state: {},
});

test('what no result needs is dropped, what is equal is computed once, idle casts are gone', () => {
  const cast = { SrcT: { kind: 'type', value: 1 }, DstT: { kind: 'type', value: 1 } } as const;
  const nodes = [
    x,
    w,
    constant(1, 2),
    constant(1, 2),
    constant(1, 3),
    op('Mul', [0, 2]),
    op('Mul', [0, 3]),
    op('Mul', [0, 4]),
    op('Square', [1]),
    op('Cast', [6], cast),
    op('AddN', [5, 9, 7]),
  ];
  expect(printRecording(mergeEqual(dropUnused(recording(...nodes))))).toMatchInlineSnapshot(`
    "%0 Placeholder(x) float32[2]
    %1 Const() float32[2]
    %2 Const() float32[2]
    %3 Mul(%0 %1) float32[2]
    %4 Mul(%0 %2) float32[2]
    %5 AddN(%3 %3 %4) float32[2]
    y = %5"
  `);
});

test('the first difference of two recordings is named', () => {
  const first = recording(x, constant(1, 2), op('Mul', [0, 1]));
  expect(() => expectSame('f', first, first)).not.toThrow();
  expect(() => expectSame('f', first, recording(x, constant(1, 3), op('Mul', [0, 1])))).toThrow(
    'a float32 [2] that feeds Mul was, at element 1, 2 in one recording and 3 in the next',
  );
  expect(() => expectSame('f', first, recording(x, constant(1, 2), op('Mul', [1, 0])))).toThrow('op 2 was Mul');
  expect(() => expectSame('f', first, recording(x, constant(1, 2)))).toThrow('op 2 was Mul [2] in one and none');
});

test('attributes that follow from the inputs are filled in, strangers dropped', () => {
  const specs = [DT.float32, DT.float32, DT.float32, DT.int32].map((dtype) => ({ shape: [2], dtype }));
  expect(completeAttributes('ConcatV2', { bogus: { kind: 'int', value: 1 } }, specs)).toEqual({
    N: { kind: 'int', value: 3 },
    T: { kind: 'type', value: DT.float32 },
    Tidx: { kind: 'type', value: DT.int32 },
  });
  expect(completeAttributes('Where', {}, specs.slice(0, 1))).toEqual({ T: { kind: 'type', value: DT.float32 } });
  expect(completeAttributes('IdentityN', {}, specs).T).toEqual({ kind: 'types', value: [1, 1, 1, 3] });
  expect(['Conv2D', 'RandomUniform', 'Print', 'AssignVariableOp', 'Nonsense'].map(isPure)).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
  expect(['Where', 'DecodePng', 'DecodeBase64', 'Mul'].map(isValueShaped)).toEqual([true, true, false, false]);
});

test('signatures are equal whatever the order of their names', () => {
  const a = signature('f', { x: [[2], 'float32'], n: [[3], 'int32'] }, { mix: 'a', phase: '1' });
  const b = signature('f', { n: [[3], 'int32'], x: [[2], 'float32'] }, { phase: '1', mix: 'a' });
  expect(signatureKey(a)).toBe(signatureKey(b));
  for (const other of [
    signature('g', { x: [[2], 'float32'], n: [[3], 'int32'] }, { mix: 'a', phase: '1' }),
    signature('f', { x: [[1], 'float32'], n: [[3], 'int32'] }, { mix: 'a', phase: '1' }),
    signature('f', { x: [[2], 'uint8'], n: [[3], 'int32'] }, { mix: 'a', phase: '1' }),
    signature('f', { x: [[2], 'float32'], n: [[3], 'int32'] }, { mix: 'b', phase: '1' }),
  ]) {
    expect(signatureKey(other)).not.toBe(signatureKey(a));
  }
});

test('assignments wait for the reads of their variable, outputs for the assignments', () => {
  const swapped: Recording = {
    nodes: [x, w, op('Mul', [0, 1])],
    outputs: { y: { node: 2, output: 0 } },
    state: { w: { node: 0, output: 0 }, v: { node: 2, output: 0 } },
  };
  const state = { w: { shape: [2] }, v: { shape: [2] } };
  const { nodes } = buildGraph([{ signature: signature('f', { x: [[2], 'float32'] }), recording: swapped }], state);
  const inputsOf = Object.fromEntries(nodes.map(({ name, inputs }) => [name, inputs]));
  expect(inputsOf['s0/assign/state/0']).toEqual(['state/0', 's0/Placeholder_0/copy', '^s0/ReadVariableOp_1']);
  expect(inputsOf['s0/assign/state/1']).toEqual(['state/1', 's0/Mul_2']);
  expect(inputsOf['s0/done']).toEqual(['^s0/assign/state/0', '^s0/assign/state/1']);
  expect(inputsOf['s0/output/0']).toEqual(['s0/Mul_2', '^s0/done']);
});

test('constants whose use the optimizer would rewrite stand behind placeholders', () => {
  const nodes = [x, constant(2, 2), constant(1, 1), op('RealDiv', [0, 1]), op('Mul', [3, 2]), op('PadV2', [4, 1])];
  const graph = buildGraph(
    [{ signature: signature('f', { x: [[2], 'float32'] }), recording: recording(...nodes) }],
    {},
  );
  const inputsOf = Object.fromEntries(graph.nodes.map(({ name, inputs }) => [name, inputs]));
  expect(inputsOf['s0/Const_1/hidden']).toEqual(['s0/Const_1']);
  expect(inputsOf['s0/RealDiv_3']).toEqual(['s0/Placeholder_0', 's0/Const_1/hidden']);
  expect(inputsOf['s0/Mul_4']).toEqual(['s0/RealDiv_3', 's0/Const_2']);
  expect(inputsOf['s0/PadV2_5']).toEqual(['s0/Mul_4', 's0/Const_1']);
});

test('a program with too many constants is refused', () => {
  const huge: RecordedNode = { kind: 'constant', outputs: float(2 ** 27), value: new Uint8Array(2 ** 29) };
  const graph = {
    nodes: [{ name: 'c', op: 'Const', attributes: {}, inputs: [], value: huge }],
    signatures: [],
    groups: [],
    prepared: undefined,
  };
  expect(() => savedModelBytes(graph, [])).toThrowErrorMatchingInlineSnapshot(
    `[TailmixError: captured step: expected constants of less than 496 MiB, got 536870912 bytes. Make large host arrays inputs or state.]`,
  );
});

describeNative('saved_model.pb', () => {
  test('reads back with the protobuf library', () => {
    const attributes: OpNode['attributes'] = {
      s: { kind: 'string', value: 'größe,\u0000' },
      i: { kind: 'int', value: -1 },
      big: { kind: 'int', value: 2 ** 40 + 5 },
      f: { kind: 'float', value: 0.1 },
      b: { kind: 'bool', value: true },
      t: { kind: 'type', value: DT.bfloat16 },
      shape: { kind: 'shape', value: [3, 0, 300] },
      is: { kind: 'ints', value: [1, -2, 300] },
      fs: { kind: 'floats', value: [0.5, -1] },
      bs: { kind: 'bools', value: [true, false] },
      ts: { kind: 'types', value: [1, 3] },
      none: { kind: 'ints', value: [] },
    };
    const text: RecordedNode = {
      kind: 'constant',
      outputs: [{ shape: [2], dtype: DT.string }],
      value: [Buffer.from('a'), Buffer.from('ü')],
    };
    const call = signature('f', { x: [[2], 'float32'] });
    const nodes = [x, constant(1, 2), constant(7, 7), text, op('Any', [0, 1, 2, 3], attributes)];
    const graph = buildGraph([{ signature: call, recording: recording(...nodes) }], {});
    const model = decode(savedModelBytes(graph, [call]));
    expect(model.savedModelSchemaVersion).toBe(1);
    const [meta] = model.metaGraphsList;
    expect(meta.metaInfoDef.tagsList).toEqual(['serve']);
    expect(meta.graphDef.nodeList.map(({ name, op, inputList }) => `${op} ${name} ${inputList}`)).toEqual(
      graph.nodes.map(({ name, op, inputs }) => `${op} ${name} ${inputs}`),
    );
    const found = (name: string) =>
      Object.fromEntries(meta.graphDef.nodeList.find((node) => node.name === name)!.attrMap);
    expect(found('s0/Any_4')).toMatchObject({
      s: { s: Buffer.from('größe,\u0000').toString('base64') },
      i: { i: -1 },
      big: { i: 2 ** 40 + 5 },
      f: { f: Math.fround(0.1) },
      b: { b: true },
      t: { type: DT.bfloat16 },
      shape: { shape: { dimList: [{ size: 3 }, { size: 0 }, { size: 300 }] } },
      is: { list: { iList: [1, -2, 300] } },
      fs: { list: { fList: [0.5, -1] } },
      bs: { list: { bList: [true, false] } },
      ts: { list: { typeList: [1, 3] } },
      none: { list: { iList: [] } },
    });
    const tensor = (name: string) => found(name).value!.tensor;
    expect(tensor('s0/Const_1')).toMatchObject({
      dtype: 1,
      tensorContent: Buffer.from(bytesOf(1, 2)).toString('base64'),
    });
    expect(tensor('s0/Const_2')).toMatchObject({ floatValList: [7], tensorContent: '' });
    expect(tensor('s0/Const_3')).toMatchObject({
      stringValList: ['a', 'ü'].map((value) => Buffer.from(value).toString('base64')),
    });
    const [name, definition] = meta.signatureDefMap[0]!;
    expect(name).toBe('f_0');
    expect(definition.inputsMap[0]).toMatchObject(['x', { name: 's0/Placeholder_0:0', dtype: 1 }]);
    expect(definition.outputsMap[0]).toMatchObject(['y', { name: 's0/output/0:0', dtype: 1 }]);
  });
});

interface Decoded {
  savedModelSchemaVersion: number;
  metaGraphsList: [
    {
      metaInfoDef: { tagsList: string[] };
      graphDef: { nodeList: { name: string; op: string; inputList: string[]; attrMap: [string, Attr][] }[] };
      signatureDefMap: [string, { inputsMap: unknown[]; outputsMap: unknown[] }][];
    },
  ];
}
type Attr = Record<string, unknown>;

function decode(bytes: Uint8Array): Decoded {
  interface Message {
    SavedModel: { deserializeBinary(bytes: Uint8Array): { toObject(): Decoded } };
  }
  return requireFromTfjsNode<Message>('dist/proto/api_pb').SavedModel.deserializeBinary(bytes).toObject();
}
