import {
  type ConstantNode,
  DT,
  type OpNode,
  opOf,
  type RecordedNode,
  type Recording,
  type TensorSpec,
} from '../graph/index.ts';
import { batchFrozen, opsDependOnBatch } from './errors.ts';
import { bytesOf, valuesOf } from './fold-constants.ts';

/** Ops that take inputs of any shapes that fit together, so that an array of equal rows may become one row. */
const BROADCASTING = new Set([
  'Add',
  'AddV2',
  'Sub',
  'Mul',
  'RealDiv',
  'Div',
  'DivNoNan',
  'Maximum',
  'Minimum',
  'Pow',
  'SquaredDifference',
  'Greater',
  'GreaterEqual',
  'Less',
  'LessEqual',
  'Equal',
  'SelectV2',
]);

/** The unknown length in a shape. */
export const ANY = -1;

/**
 * One graph for any number of images, from recordings for two numbers: what differs between them is that number, or
 * computed from it.
 *
 * @throws {TailmixError} EXPORT_BATCH naming the op that has the number as a constant.
 */
export function forAnyBatch(first: Recording, second: Recording): Recording {
  const consumers = consumersOf(first);
  const nodes = Array.from({ length: Math.max(first.nodes.length, second.nodes.length) }, (_, index) => {
    const [a, b] = [first.nodes[index], second.nodes[index]];
    if (!a || !b || !sameOp(a, b)) throw opsDependOnBatch(nameOf(a), nameOf(b), (a ?? b)!.owner);
    if (a.kind === 'constant') return joinConstants(a, b as ConstantNode, index, { first, second, consumers });
    return { ...a, outputs: a.outputs.map((spec, i) => joinSpecs(spec, b.outputs[i]!, opOf(a), a.owner)) };
  });
  return { ...first, nodes };
}

const nameOf = (node: RecordedNode | undefined): string => (node ? opOf(node) : 'nothing');

interface Joining {
  first: Recording;
  second: Recording;
  /** By node: who takes it, and as which input. */
  consumers: ReadonlyMap<number, readonly Consumer[]>;
}

interface Consumer {
  op: OpNode;
  index: number;
  input: number;
}

function consumersOf({ nodes }: Recording): Map<number, Consumer[]> {
  const found = new Map<number, Consumer[]>();
  for (const [index, op] of nodes.entries()) {
    if (op.kind !== 'op') continue;
    for (const [input, { node }] of op.inputs.entries()) {
      found.set(node, [...(found.get(node) ?? []), { op, index, input }]);
    }
  }
  return found;
}

function sameOp(a: RecordedNode, b: RecordedNode): boolean {
  if (opOf(a) !== opOf(b) || a.outputs.length !== b.outputs.length) return false;
  if (a.kind !== 'op') return true;
  const { attributes, inputs } = b as OpNode;
  return JSON.stringify([a.attributes, a.inputs]) === JSON.stringify([attributes, inputs]);
}

function joinSpecs(a: TensorSpec, b: TensorSpec, op: string, owner: string | undefined): TensorSpec {
  if (a.shape.length !== b.shape.length) throw batchFrozen(op, owner);
  return { ...a, shape: a.shape.map((length, axis) => (length === b.shape[axis] ? length : ANY)) };
}

function joinConstants(a: ConstantNode, b: ConstantNode, index: number, joining: Joining): ConstantNode {
  if (isEqual(a, b)) return a;
  const users = joining.consumers.get(index) ?? [];
  const refuse = (): never => {
    throw batchFrozen(users[0]?.op.op ?? 'a result', users[0]?.op.owner ?? a.owner);
  };
  if (!(a.value instanceof Uint8Array) || a.outputs[0]!.dtype !== b.outputs[0]!.dtype) return refuse();
  if (String(a.outputs[0]!.shape) !== String(b.outputs[0]!.shape)) {
    return (users.every(({ op }) => BROADCASTING.has(op.op)) && oneRow(a, b)) || refuse();
  }
  if (a.outputs[0]!.dtype !== DT.int32) return refuse();
  return shapeConstant(a, b, users, joining) ?? refuse();
}

/** A shape that the number of images is in, with −1 or 1 in its place; null where its users do not allow that. */
function shapeConstant(
  a: ConstantNode,
  b: ConstantNode,
  users: readonly Consumer[],
  { first, second, consumers }: Joining,
): ConstantNode | null {
  const [one, other] = [valuesOf(a), valuesOf(b)];
  const replaced = (by: number): number[] => Array.from(one, (length, axis) => (length === other[axis] ? length : by));
  const shapes = users.map(({ op, index, input }): number[] | null => {
    if (op.op === 'Reshape' && input === 1) {
      const { shape } = joinSpecs(op.outputs[0]!, second.nodes[index]!.outputs[0]!, op.op, op.owner);
      return shape.filter((length) => length === ANY).length === 1 ? [...shape] : null;
    }
    if (op.op === 'Slice' && input === 2) {
      const begin = first.nodes[op.inputs[1]!.node]!;
      const fromStart = replaced(ANY).every(
        (length, axis) => length !== ANY || (begin.kind === 'constant' && valuesOf(begin)[axis] === 0),
      );
      return fromStart ? replaced(ANY) : null;
    }
    const isFilled = op.op === 'Fill' && input === 0;
    const broadcasts = (consumers.get(index) ?? []).every((user) => BROADCASTING.has(user.op.op));
    return isFilled && broadcasts ? replaced(1) : null;
  });
  const [shape] = shapes;
  if (!shape || shapes.some((of) => String(of) !== String(shape))) return null;
  return withValues(a, Int32Array.from(shape));
}

function isEqual(a: ConstantNode, b: ConstantNode): boolean {
  if (String(a.outputs[0]!.shape) !== String(b.outputs[0]!.shape)) return false;
  if (a.value instanceof Uint8Array && b.value instanceof Uint8Array) return Buffer.compare(a.value, b.value) === 0;
  return JSON.stringify(a.value) === JSON.stringify(b.value);
}

/** An array of equal rows as its first row; null where rows differ. */
function oneRow(a: ConstantNode, b: ConstantNode): ConstantNode | null {
  const { shape } = a.outputs[0]!;
  if (shape.length === 0 || String(shape.slice(1)) !== String(b.outputs[0]!.shape.slice(1))) return null;
  const [values, others] = [valuesOf(a), valuesOf(b)];
  const size = values.length / shape[0]!;
  const row = values.slice(0, size);
  const repeats = (all: typeof values): boolean => all.every((value, i) => Object.is(value, row[i % size]));
  return repeats(values) && repeats(others) ? withValues(a, row, [1, ...shape.slice(1)]) : null;
}

const withValues = (node: ConstantNode, values: ArrayBufferView, shape = node.outputs[0]!.shape): ConstantNode => ({
  ...node,
  outputs: [{ ...node.outputs[0]!, shape }],
  value: bytesOf(values),
});
