import { sizeOf } from '../util/shape.ts';
import { preparedSpecs } from './fixed.ts';
import { type Attribute, DT, type Endpoint, opOf, type RecordedNode, type Recording, specOf } from './recording.ts';
import type { Signature } from './types.ts';

/** A node of a TensorFlow graph; inputs are `name:output`, `^name` for order alone. */
export interface GraphNode {
  name: string;
  op: string;
  attributes: Readonly<Record<string, Attribute>>;
  inputs: readonly string[];
  /** Of a Const. */
  value?: Extract<RecordedNode, { kind: 'constant' }>;
  owner?: string;
}

/** Where a signature is fed and fetched. */
export interface SignaturePorts {
  /** Feed names, in the order of `signature.inputs`. */
  feeds: readonly string[];
  outputs: readonly { name: string; fetch: string; dtype: number; shape: readonly number[] }[];
  /** Fetched in place of outputs where there are none. */
  done: string;
}

/** Variables that are read, or written, in one call. */
export interface StateGroup {
  names: readonly string[];
  feeds: readonly string[];
  reads: readonly string[];
  written: string;
}

/** One graph with all signatures, sharing its variables. */
export interface Graph {
  nodes: readonly GraphNode[];
  signatures: readonly SignaturePorts[];
  groups: readonly StateGroup[];
  /** Fetched after the state was written, before any signature; undefined where nothing is prepared. */
  prepared: string | undefined;
}

/**
 * The session compiles a graph per set of fetches, 15 ms each, so state moves in few fixed groups: of so many elements at most, for
 * what moves is in memory twice.
 */
const GROUP_SIZE = 16 * 2 ** 20;

type State = Readonly<Record<string, { shape: readonly number[] }>>;

/**
 * Marks ops as already rewritten by two passes of TensorFlow's graph optimizer. Those reorder sums and broadcasts, so
 * that results differ from eager ones, and turn `a + b + c` into an accumulator of seven small ops.
 */
const KEEP_ORDER: Readonly<Record<string, Attribute>> = {
  _grappler_ArithmeticOptimizer_AddOpsRewriteStage: { kind: 'bool', value: true },
  _grappler_ArithmeticOptimizer_MinimizeBroadcasts: { kind: 'bool', value: true },
};

const REORDERED = new Set(['Add', 'AddV2', 'AddN', 'Mul', 'Maximum', 'Minimum']);

/**
 * Ops that the optimizer rewrites where an operand is constant (x / c to x · 1/c, x² to a square, (x · a) · b to
 * x · ab), which changes the last bit. Behind a placeholder with a default it does not see the constant.
 */
const ARITHMETIC = new Set([...REORDERED, 'Sub', 'RealDiv', 'Div', 'DivNoNan', 'Pow']);

/** Float constants of other values than 0 and 1, whose rewrites are exact. */
function changesResults(node: RecordedNode): boolean {
  if (node.kind !== 'constant' || !(node.value instanceof Uint8Array) || node.outputs[0]!.dtype !== DT.float32) {
    return false;
  }
  return new Float32Array(node.value.buffer).some((value) => value !== 0 && value !== 1);
}

const FLOAT: Attribute = { kind: 'type', value: DT.float32 };
const DTYPE_FLOAT = { dtype: FLOAT };

/**
 * Joins recordings into one graph over shared variables, given by name.
 *
 * @param copy - op that copies what the host writes.
 * @param preparation - computes what recordings read beside the variables.
 */
export function buildGraph(
  parts: readonly { signature: Signature; recording: Recording }[],
  state: State,
  copy = 'DeepCopy',
  preparation?: Recording,
): Graph {
  const nodes: GraphNode[] = [];
  const variables = new Map(Object.keys(state).map((name, index) => [name, `state/${index}`]));
  const groups = declareState(nodes, state, variables, copy);
  const prepared = preparation && addPreparation(nodes, preparation, variables);
  const signatures = parts.map(({ signature, recording }, index) =>
    addSignature(nodes, `s${index}`, signature, recording, variables),
  );
  return { nodes, signatures, groups, prepared };
}

/** Names of arrays that move together. */
function groupsOf(state: State): string[][] {
  const groups: string[][] = [];
  let room = 0;
  for (const [name, { shape }] of Object.entries(state)) {
    const size = sizeOf(shape);
    if (size > room || groups.length === 0) {
      groups.push([]);
      room = GROUP_SIZE;
    }
    groups.at(-1)!.push(name);
    room -= size;
  }
  return groups;
}

/** A handle per variable; reads and writes by group. The written value is copied: a fed tensor is the host's memory. */
function declareState(
  nodes: GraphNode[],
  state: State,
  variables: ReadonlyMap<string, string>,
  copy: string,
): StateGroup[] {
  const groups: StateGroup[] = [];
  for (const members of groupsOf(state)) {
    const handles = members.map((name) => variables.get(name)!);
    for (const [index, handle] of handles.entries()) {
      const shape: Attribute = { kind: 'shape', value: state[members[index]!]!.shape };
      const sharedName: Attribute = { kind: 'string', value: handle };
      nodes.push(
        { name: handle, op: 'VarHandleOp', attributes: { ...DTYPE_FLOAT, shape, shared_name: sharedName }, inputs: [] },
        { name: `${handle}/read`, op: 'ReadVariableOp', attributes: DTYPE_FLOAT, inputs: [handle] },
        { name: `${handle}/fed`, op: 'Placeholder', attributes: { ...DTYPE_FLOAT, shape }, inputs: [] },
        { name: `${handle}/copy`, op: copy, attributes: { T: FLOAT }, inputs: [`${handle}/fed`] },
        assign(`${handle}/write`, handle, `${handle}/copy`, []),
      );
    }
    const written = `written/${groups.length}`;
    nodes.push(
      marker(
        written,
        handles.map((handle) => `^${handle}/write`),
      ),
    );
    const [feeds, reads] = ['fed', 'read'].map((port) => handles.map((handle) => `${handle}/${port}:0`));
    groups.push({ names: members, feeds: feeds!, reads: reads!, written: `${written}:0` });
  }
  return groups;
}

/** Declares a variable for each value that a preparation makes, and what makes them all. */
function addPreparation(nodes: GraphNode[], preparation: Recording, variables: Map<string, string>): string {
  for (const [name, { shape, dtype }] of Object.entries(preparedSpecs(preparation))) {
    variables.set(name, name);
    const attributes: GraphNode['attributes'] = {
      dtype: { kind: 'type', value: dtype },
      shape: { kind: 'shape', value: shape },
      shared_name: { kind: 'string', value: name },
    };
    nodes.push({ name, op: 'VarHandleOp', attributes, inputs: [] });
  }
  return addSignature(nodes, 'prepare', { call: 'prepare', variants: {}, inputs: {} }, preparation, variables).done;
}

const assign = (
  name: string,
  handle: string,
  value: string,
  after: readonly string[],
  dtype: number = DT.float32,
): GraphNode => ({
  name,
  op: 'AssignVariableOp',
  attributes: { dtype: { kind: 'type', value: dtype }, validate_shape: { kind: 'bool', value: true } },
  inputs: [handle, value, ...after],
});

/** A scalar to fetch when something else is done: an assignment has no output of its own. */
const marker = (name: string, after: readonly string[]): GraphNode => ({
  name,
  op: 'Const',
  attributes: {},
  inputs: after,
  value: { kind: 'constant', outputs: [{ shape: [], dtype: DT.bool }], value: new Uint8Array([1]) },
});

function addSignature(
  nodes: GraphNode[],
  prefix: string,
  signature: Signature,
  recording: Recording,
  variables: ReadonlyMap<string, string>,
): SignaturePorts {
  const updates = Object.entries(recording.state);
  const names = recording.nodes.map((node, index) => `${prefix}/${opOf(node)}_${index}`);
  const copied = new Set<number>();
  const hidden = new Set<number>();
  const edge = ({ node, output }: Endpoint, consumer?: string): string => {
    if (copied.has(node)) return `${names[node]}/copy`;
    if (hidden.has(node) && ARITHMETIC.has(consumer ?? '')) return `${names[node]}/hidden`;
    return `${names[node]}${output > 0 ? `:${output}` : ''}`;
  };
  const reads = new Map<string, string>();
  for (const [index, node] of recording.nodes.entries()) {
    const name = names[index]!;
    nodes.push({
      ...graphNode(name, node, edge, variables),
      ...(node.owner === undefined ? {} : { owner: node.owner }),
    });
    if (node.kind === 'state') reads.set(node.name, name);
    if (changesResults(node)) {
      hidden.add(index);
      const attributes: GraphNode['attributes'] = {
        ...DTYPE_FLOAT,
        shape: { kind: 'shape', value: node.outputs[0]!.shape },
      };
      nodes.push({ name: `${name}/hidden`, op: 'PlaceholderWithDefault', attributes, inputs: [name] });
    }
    if (node.kind === 'input' && node.outputs[0]!.dtype === DT.float32 && updates.length > 0) {
      copied.add(index);
      nodes.push({ name: `${name}/copy`, op: 'DeepCopy', attributes: { T: FLOAT }, inputs: [name] });
    }
  }
  const assigned = updates.map(([variable, value]) => {
    const handle = variables.get(variable)!;
    const read = reads.get(variable);
    const name = `${prefix}/assign/${handle}`;
    const { dtype } = specOf(recording.nodes, value);
    nodes.push(assign(name, handle, edge(value), read === undefined ? [] : [`^${read}`], dtype));
    return `^${name}`;
  });
  const done = `${prefix}/done`;
  nodes.push(marker(done, assigned));
  const outputs = Object.entries(recording.outputs).map(([name, from], index) => {
    const { dtype, shape } = recording.nodes[from.node]!.outputs[from.output]!;
    const attributes = { T: { kind: 'type', value: dtype } as const };
    const output = `${prefix}/output/${index}`;
    nodes.push({ name: output, op: 'Identity', attributes, inputs: [edge(from), `^${done}`] });
    return { name, fetch: `${output}:0`, dtype, shape };
  });
  const feeds = Object.keys(signature.inputs).map((input) => {
    const index = recording.nodes.findIndex((node) => node.kind === 'input' && node.name === input);
    return `${names[index]!}:0`;
  });
  return { feeds, outputs, done: `${done}:0` };
}

function graphNode(
  name: string,
  node: RecordedNode,
  edge: (from: Endpoint, consumer: string) => string,
  variables: ReadonlyMap<string, string>,
): GraphNode {
  const op = opOf(node);
  const { shape, dtype } = node.outputs[0] ?? { shape: [], dtype: DT.float32 };
  const type: Attribute = { kind: 'type', value: dtype };
  switch (node.kind) {
    case 'input':
      return { name, op, attributes: { dtype: type, shape: { kind: 'shape', value: shape } }, inputs: [] };
    case 'state':
      return { name, op, attributes: { dtype: type }, inputs: [variables.get(node.name)!] };
    case 'constant':
      return { name, op, attributes: {}, inputs: [], value: node };
    case 'op':
      return {
        name,
        op,
        attributes: REORDERED.has(op) ? { ...node.attributes, ...KEEP_ORDER } : node.attributes,
        inputs: node.inputs.map((from) => edge(from, op)),
      };
  }
}
