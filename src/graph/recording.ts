/** One output of a node. */
export interface Endpoint {
  /** Index in {@link Recording.nodes}. */
  node: number;
  output: number;
}

/** Shape and TensorFlow's `TF_DataType` of one output. */
export interface TensorSpec {
  shape: readonly number[];
  dtype: number;
}

/** An attribute of an op, by the kind of its protobuf field. */
export type Attribute =
  | { kind: 'string'; value: string }
  | { kind: 'int'; value: number }
  | { kind: 'ints'; value: readonly number[] }
  | { kind: 'float'; value: number }
  | { kind: 'floats'; value: readonly number[] }
  | { kind: 'bool'; value: boolean }
  | { kind: 'bools'; value: readonly boolean[] }
  | { kind: 'type'; value: number }
  | { kind: 'types'; value: readonly number[] }
  | { kind: 'shape'; value: readonly number[] };

interface NodeBase {
  outputs: readonly TensorSpec[];
  /** Who was building when the node was recorded: a plugin's name. */
  owner?: string;
}

/** Fed at each call. */
export interface InputNode extends NodeBase {
  kind: 'input';
  name: string;
}

/** A variable's value at the start of the call. */
export interface StateNode extends NodeBase {
  kind: 'state';
  name: string;
}

/** A value from the host, the same in every call: bytes, or one byte array per string. */
export interface ConstantNode extends NodeBase {
  kind: 'constant';
  value: Uint8Array | readonly Uint8Array[];
}

/** A TensorFlow op. */
export interface OpNode extends NodeBase {
  kind: 'op';
  op: string;
  attributes: Readonly<Record<string, Attribute>>;
  inputs: readonly Endpoint[];
}

export type RecordedNode = InputNode | StateNode | ConstantNode | OpNode;

/** One call of a function as plain data: nodes in the order of execution, and what the call returned. */
export interface Recording {
  nodes: readonly RecordedNode[];
  outputs: Readonly<Record<string, Endpoint>>;
  /** Next value of the state that changed. */
  state: Readonly<Record<string, Endpoint>>;
}

/** The tensor behind an endpoint. */
export function specOf(nodes: readonly RecordedNode[], { node, output }: Endpoint): TensorSpec {
  return nodes[node]!.outputs[output]!;
}

/** Op name of a node; `Const`, `Placeholder` and `ReadVariableOp` for what is none. */
export function opOf(node: RecordedNode): string {
  if (node.kind === 'op') return node.op;
  return { input: 'Placeholder', state: 'ReadVariableOp', constant: 'Const' }[node.kind];
}

/** The recording as text, one node a line: for reading, and for finding where two differ. */
export function printRecording({ nodes, outputs, state }: Recording): string {
  const edge = ({ node, output }: Endpoint): string => `%${node}${output > 0 ? `:${output}` : ''}`;
  const lines = nodes.map((node, index) => {
    const shapes = node.outputs.map(({ shape, dtype }) => `${dtypeName(dtype)}[${shape}]`).join(' ');
    const inputs = node.kind === 'op' ? node.inputs.map(edge).join(' ') : 'name' in node ? node.name : '';
    return `%${index} ${opOf(node)}(${inputs}) ${shapes}${node.owner ? `  # ${node.owner}` : ''}`;
  });
  const results = { ...outputs, ...state };
  return [...lines, ...Object.entries(results).map(([name, from]) => `${name} = ${edge(from)}`)].join('\n');
}

/** TensorFlow's type numbers that tfjs has names for, or that the graph needs. */
export const DT = {
  float32: 1,
  float64: 2,
  uint8: 4,
  int32: 3,
  string: 7,
  complex64: 8,
  int64: 9,
  bool: 10,
  bfloat16: 14,
} as const;

/** Name of a type number, for messages. */
export const dtypeName = (dtype: number): string =>
  Object.entries(DT).find(([, number]) => number === dtype)?.[0] ?? `type ${dtype}`;
