import { mapValues } from '../util/map-values.ts';
import { sizeOf } from '../util/shape.ts';
import { dropUnused, mergeEqual } from './prune.ts';
import {
  type Attribute,
  DT,
  type Endpoint,
  type OpNode,
  type RecordedNode,
  type Recording,
  specOf,
  type TensorSpec,
} from './recording.ts';

type State = Readonly<Record<string, { shape: readonly number[] }>>;

/** A variable of the graph: one state array, or several small ones end to end. */
export interface Variable {
  shape: readonly number[];
  /** In order. */
  members: readonly { name: string; size: number }[];
}

/** State as the graph holds it, and the recordings that work on it. */
export interface PackedState {
  /** By variable name: the state's own, or `packed/<n>`. */
  variables: Readonly<Record<string, Variable>>;
  recordings: readonly Recording[];
}

/** Arrays up to this many elements are packed: above, copying costs more than the ops that it saves. */
const PACKED_SIZE = 65_536;

/** Ops that compute each element by itself, so that they may run once over many arrays end to end. */
const ELEMENTWISE = new Set([
  'Abs',
  'Add',
  'AddV2',
  'Cast',
  'Div',
  'DivNoNan',
  'Exp',
  'Log',
  'Maximum',
  'Minimum',
  'Mul',
  'Neg',
  'Pow',
  'RealDiv',
  'Reciprocal',
  'Rsqrt',
  'Sign',
  'Sqrt',
  'Square',
  'SquaredDifference',
  'Sub',
  'TailmixSgd',
]);

/**
 * Joins small state arrays that are updated by the same formula into one variable each, and runs the formula once over
 * it: a network's update is hundreds of tiny ops otherwise, and most of the nodes that TensorFlow has to prepare.
 */
export function packState(recordings: readonly Recording[], state: State): PackedState {
  const classes = new Map<string, string[]>();
  for (const name of Object.keys(state)) {
    const kind = updateClass(recordings, name, state[name]!.shape);
    if (kind !== null) classes.set(kind, [...(classes.get(kind) ?? []), name]);
  }
  const packs = [...classes.values()].filter((names) => names.length > 1);
  const packed = new Set(packs.flat());
  const member = (name: string) => ({ name, size: sizeOf(state[name]!.shape) });
  const joined = packs.map((names, index): [string, Variable] => {
    const members = names.map(member);
    return [`packed/${index}`, { shape: [members.reduce((sum, { size }) => sum + size, 0)], members }];
  });
  const single = Object.keys(state)
    .filter((name) => !packed.has(name))
    .map((name): [string, Variable] => [name, { shape: state[name]!.shape, members: [member(name)] }]);
  const variables = Object.fromEntries([...joined, ...single]);
  return { variables, recordings: recordings.map((recording) => packRecording(recording, joined, state)) };
}

const sameShape = (a: TensorSpec, b: TensorSpec): boolean => String(a.shape) === String(b.shape);

/** Equal for state arrays that the first recording to assign them computes by the same formula; null: not packed. */
function updateClass(recordings: readonly Recording[], name: string, shape: readonly number[]): string | null {
  const index = recordings.findIndex((recording) => recording.state[name] !== undefined);
  const size = sizeOf(shape);
  if (index < 0 || shape.length === 0 || size === 0 || size > PACKED_SIZE) return null;
  const { nodes, state } = recordings[index]!;
  return `${index} ${formula(nodes, state[name]!, new Map())}`;
}

/** The formula over arrays of one shape, with shared scalars by their place; a part seen before by its number. */
function formula(nodes: readonly RecordedNode[], from: Endpoint, seen: Map<string, number>): string {
  const key = place(from);
  const known = seen.get(key);
  if (known !== undefined) return `=${known}`;
  seen.set(key, seen.size);
  const node = nodes[from.node]!;
  if (!isElementwise(node)) return node.kind === 'state' ? 'state' : 'array';
  const inputs = node.inputs.map((input) => {
    if (sameShape(specOf(nodes, input), node.outputs[0]!)) return formula(nodes, input, seen);
    return isScalar(nodes, input) ? place(input) : 'other';
  });
  return `${node.op}${JSON.stringify(node.attributes)}(${inputs}):${from.output}`;
}

const place = ({ node, output }: Endpoint): string => `${node}:${output}`;
const isElementwise = (node: RecordedNode): node is OpNode => node.kind === 'op' && ELEMENTWISE.has(node.op);
const isScalar = (nodes: readonly RecordedNode[], from: Endpoint): boolean => specOf(nodes, from).shape.length === 0;

function packRecording(recording: Recording, packs: readonly [string, Variable][], state: State): Recording {
  const nodes: RecordedNode[] = [];
  const keep = (node: RecordedNode): Endpoint => ({ node: nodes.push(node) - 1, output: 0 });
  const parts = new Map<string, { pack: string; whole: Endpoint; arrays: Map<string, Endpoint> }>();
  const packOf = new Map(packs.flatMap(([pack, { members }]) => members.map(({ name }) => [name, pack])));

  /** Reads a packed variable and splits it. */
  function open(pack: string): { whole: Endpoint; arrays: Map<string, Endpoint> } {
    const before = parts.get(pack);
    if (before !== undefined) return before;
    const { shape, members } = packs.find(([name]) => name === pack)![1];
    const whole = keep({ kind: 'state', name: pack, outputs: [{ shape, dtype: DT.float32 }] });
    const split = keep({
      kind: 'op',
      op: 'SplitV',
      attributes: { T: type(DT.float32), Tlen: type(DT.int32), num_split: { kind: 'int', value: members.length } },
      inputs: [whole, keep(integers(...members.map(({ size }) => size))), keep(integer(0))],
      outputs: members.map(({ size }) => ({ shape: [size], dtype: DT.float32 })),
    });
    const arrays = members.map(({ name }, output): [string, Endpoint] => {
      const { shape: wanted } = state[name]!;
      const array = { node: split.node, output };
      return [name, wanted.length === 1 ? array : reshape(array, wanted)];
    });
    const opened = { pack, whole, arrays: new Map(arrays) };
    parts.set(pack, opened);
    return opened;
  }

  function reshape(from: Endpoint, shape: readonly number[]): Endpoint {
    const { dtype } = specOf(nodes, from);
    return keep({
      kind: 'op',
      op: 'Reshape',
      attributes: { T: type(dtype), Tshape: type(DT.int32) },
      inputs: [from, keep(integers(...shape))],
      outputs: [{ shape, dtype }],
    });
  }

  const flattened = new Map<string, Endpoint>();
  /** The arrays end to end: their formula over flat operands as far as it is the same for all, else joined. */
  function flat(arrays: readonly Endpoint[]): Endpoint {
    const key = arrays.map(place).join();
    const before = flattened.get(key);
    if (before !== undefined) return before;
    const result = flatFormula(arrays) ?? wholeOf(key) ?? join(arrays);
    flattened.set(key, result);
    return result;
  }

  function flatFormula(arrays: readonly Endpoint[]): Endpoint | undefined {
    const members = arrays.map(({ node }) => nodes[node]!);
    const first = members[0]!;
    if (!isElementwise(first)) return undefined;
    const same = members.every(
      (node): node is OpNode =>
        node.kind === 'op' &&
        node.op === first.op &&
        JSON.stringify(node.attributes) === JSON.stringify(first.attributes),
    );
    const { output } = arrays[0]!;
    if (!same || arrays.some((from) => from.output !== output)) return undefined;
    const operands = first.inputs.map((_, position) => members.map((node) => (node as OpNode).inputs[position]!));
    const shared = (operand: readonly Endpoint[]): boolean =>
      isScalar(nodes, operand[0]!) && operand.every((from) => place(from) === place(operand[0]!));
    const fits = operands.every(
      (operand) =>
        shared(operand) || operand.every((from, index) => sameShape(specOf(nodes, from), members[index]!.outputs[0]!)),
    );
    if (!fits) return undefined;
    const inputs = operands.map((operand) => (shared(operand) ? operand[0]! : flat(operand)));
    const outputs = first.outputs.map(({ dtype }) => ({ shape: [total(arrays)], dtype }));
    return { node: keep({ ...first, inputs, outputs }).node, output };
  }

  const total = (arrays: readonly Endpoint[]): number =>
    arrays.reduce((sum, from) => sum + sizeOf(specOf(nodes, from).shape), 0);

  function wholeOf(key: string): Endpoint | undefined {
    return [...parts.values()].find(({ arrays }) => [...arrays.values()].map(place).join() === key)?.whole;
  }

  function join(arrays: readonly Endpoint[]): Endpoint {
    const { dtype } = specOf(nodes, arrays[0]!);
    const vectors = arrays.map((from) => {
      const { shape } = specOf(nodes, from);
      return shape.length === 1 ? from : reshape(from, [sizeOf(shape)]);
    });
    return keep({
      kind: 'op',
      op: 'ConcatV2',
      attributes: { N: { kind: 'int', value: vectors.length }, T: type(dtype), Tidx: type(DT.int32) },
      inputs: [...vectors, keep(integer(0))],
      outputs: [{ shape: [total(arrays)], dtype }],
    });
  }

  const moved: Endpoint[] = [];
  const move = ({ node, output }: Endpoint): Endpoint => {
    const to = moved[node]!;
    return output === 0 ? to : { node: to.node, output };
  };
  for (const node of recording.nodes) {
    const pack = node.kind === 'state' ? packOf.get(node.name) : undefined;
    if (node.kind === 'state' && pack !== undefined) moved.push(open(pack).arrays.get(node.name)!);
    else moved.push(keep(node.kind === 'op' ? { ...node, inputs: node.inputs.map(move) } : node));
  }
  const next: Record<string, Endpoint> = {};
  for (const [name, from] of Object.entries(recording.state)) if (!packOf.has(name)) next[name] = move(from);
  for (const [pack, { members }] of packs) {
    if (!members.some(({ name }) => recording.state[name] !== undefined)) continue;
    const after = members.map(({ name }) => {
      const from = recording.state[name];
      return from === undefined ? open(pack).arrays.get(name)! : move(from);
    });
    next[pack] = flat(after);
  }
  const outputs = mapValues(recording.outputs, move);
  return mergeEqual(dropUnused({ nodes, outputs, state: next }));
}

const type = (value: number): Attribute => ({ kind: 'type', value });

const integers = (...values: readonly number[]): RecordedNode => ({
  kind: 'constant',
  outputs: [{ shape: [values.length], dtype: DT.int32 }],
  value: new Uint8Array(Int32Array.from(values).buffer),
});

const integer = (value: number): RecordedNode => ({
  kind: 'constant',
  outputs: [{ shape: [], dtype: DT.int32 }],
  value: new Uint8Array(Int32Array.of(value).buffer),
});
