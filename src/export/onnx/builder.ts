import {
  type ConstantNode,
  DT,
  dtypeName,
  type Endpoint,
  type OpNode,
  type Recording,
  specOf,
} from '../../graph/index.ts';
import { sizeOf } from '../../util/shape.ts';
import { opNotMapped } from '../errors.ts';
import { bytesOf, valuesOf } from '../fold-constants.ts';
import type { OnnxAttribute, OnnxNode, OnnxTensor, OnnxType } from './proto.ts';

/** How a tensor lies in memory: as TensorFlow has it, or, of `[batch, height, width, channels]`, channels first. */
export type Layout = 'tensorflow' | 'channels-first';

/** `[n, h, w, c]` to `[n, c, h, w]`. */
export const TO_CHANNELS_FIRST = [0, 3, 1, 2] as const;
const TO_CHANNELS_LAST = [0, 2, 3, 1] as const;

/** A tensor of the ONNX graph. */
export interface Value {
  name: string;
  layout: Layout;
}

/** What an op becomes: adds nodes and gives the one that computes its first output. */
export type Mapping = (node: OpNode, builder: Builder) => Value;

/** An ONNX graph in the making. */
export interface Builder {
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxTensor[];
  /** Shape that TensorFlow has it in; −1 for the number of images. */
  shapeOf(from: Endpoint): readonly number[];
  /** Null for what is computed. */
  constantAt(from: Endpoint): ConstantNode | null;
  /** Integers of a constant: axes, a shape, paddings. Refuses the op if they are computed. */
  integersAt(node: OpNode, input: number): number[];
  /** How a computed tensor lies; a constant lies in either way. */
  layoutOf(from: Endpoint): Layout;
  /** Name of a tensor in a layout; transposes where it lies otherwise. */
  get(from: Endpoint, layout: Layout): string;
  /** Says what a recorded node's output is called. */
  set(from: Endpoint, value: Value): void;
  /** Adds an op with one output; its name is returned. */
  emit(op: string, inputs: readonly string[], attributes?: Readonly<Record<string, OnnxAttribute>>): string;
  /** Adds constants. */
  floats(values: readonly number[] | Float32Array, shape: readonly number[]): string;
  integers(values: readonly number[]): string;
}

/** Begins a graph for a recording. */
export function createBuilder({ nodes: recorded }: Recording): Builder {
  const nodes: OnnxNode[] = [];
  const constants: OnnxTensor[] = [];
  const names = new Map<string, string>();
  const layouts = new Map<string, Layout>();
  const key = ({ node, output }: Endpoint, layout: Layout): string => `${node}:${output} ${layout}`;
  const place = ({ node, output }: Endpoint): string => `${node}:${output}`;

  const addConstant = (type: OnnxType, shape: readonly number[], data: Uint8Array): string => {
    const name = `const_${constants.length}`;
    constants.push({ name, type, shape, data });
    return name;
  };
  const builder: Builder = {
    nodes,
    constants,
    shapeOf: (from) => specOf(recorded, from).shape,
    constantAt({ node }) {
      const found = recorded[node]!;
      return found.kind === 'constant' ? found : null;
    },
    integersAt(node, input) {
      const constant = builder.constantAt(node.inputs[input]!);
      if (constant === null) throw opNotMapped('ONNX', node.op, ' whose shape is computed', node.owner);
      return [...valuesOf(constant)];
    },
    layoutOf: (from) => layouts.get(place(from)) ?? 'tensorflow',
    get(from, layout) {
      const known = names.get(key(from, layout));
      if (known !== undefined) return known;
      const constant = builder.constantAt(from);
      const perm = layout === 'channels-first' ? TO_CHANNELS_FIRST : TO_CHANNELS_LAST;
      const other = layout === 'channels-first' ? 'tensorflow' : 'channels-first';
      const name = constant
        ? addNode(constant, layout)
        : builder.emit('Transpose', [builder.get(from, other)], { perm });
      names.set(key(from, layout), name);
      return name;
    },
    set(from, { name, layout }) {
      names.set(key(from, layout), name);
      layouts.set(place(from), layout);
    },
    emit(op, inputs, attributes = {}) {
      const output = `${op.toLowerCase()}_${nodes.length}`;
      nodes.push({ op, inputs, outputs: [output], attributes });
      return output;
    },
    floats: (values, shape) => addConstant('float32', shape, bytesOf(Float32Array.from(values))),
    integers: (values) => addConstant('int64', [values.length], bytesOf(BigInt64Array.from(values, BigInt))),
  };

  function addNode(node: ConstantNode, layout: Layout): string {
    const { shape, dtype } = node.outputs[0]!;
    const type = ([DT.float32, DT.int32, DT.bool] as number[]).includes(dtype) && (dtypeName(dtype) as OnnxType);
    if (!type) throw opNotMapped('ONNX', 'a constant', ` of ${dtypeName(dtype)}`, node.owner);
    if (layout === 'tensorflow') return addConstant(type, shape, node.value as Uint8Array);
    const wide = [...Array.from({ length: 4 - shape.length }, () => 1), ...shape];
    const moved = transposed(valuesOf(node), wide, TO_CHANNELS_FIRST);
    return addConstant(type, moved.shape, bytesOf(moved.values));
  }
  return builder;
}

/** An array with its axes in another order. */
export function transposed<T extends Float32Array | Int32Array | Uint8Array>(
  values: T,
  shape: readonly number[],
  perm: readonly number[],
): { values: T; shape: number[] } {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const result = values.slice() as T;
  const next = perm.map((axis) => shape[axis]!);
  const steps = perm.map((axis) => strides[axis]!);
  const index = next.map(() => 0);
  let from = 0;
  for (let to = 0; to < values.length; to++) {
    result[to] = values[from]!;
    for (let axis = next.length - 1; axis >= 0; axis--) {
      from += steps[axis]!;
      if (++index[axis]! < next[axis]!) break;
      from -= steps[axis]! * next[axis]!;
      index[axis] = 0;
    }
  }
  return { values: result, shape: next };
}
