import { type Attribute, DT, type GraphNode } from '../graph/index.ts';
import { bytesOf } from './fold-constants.ts';
import type { PhotoGeometry } from './geometry.ts';
import { PORTS } from './graph-nodes.ts';
import { type PhotoOps, type PhotoType, type PhotoValue, photoGraph } from './photo-graph.ts';

type Attributes = GraphNode['attributes'];

const type = (of: PhotoType | 'int32'): Attribute => ({ kind: 'type', value: DT[of] });
const shape = (value: readonly number[]): Attribute => ({ kind: 'shape', value });

const ARRAYS = {
  uint8: (values: readonly number[]) => Uint8Array.from(values),
  int64: (values: readonly number[]) => BigInt64Array.from(values, BigInt),
  float32: (values: readonly number[]) => Float32Array.from(values),
  float64: (values: readonly number[]) => Float64Array.from(values),
} as const;

/** Bytes of numbers as a type has them. */
export const bytesAs = (of: PhotoType, values: readonly number[]): Uint8Array => bytesOf(ARRAYS[of](values));

const BINARY = { Add: 'AddV2', Sub: 'Sub', Mul: 'Mul', Div: 'RealDiv', Max: 'Maximum', Min: 'Minimum' } as const;

/** TensorFlow nodes that make `images`, a batch of one, of `photo`. Whoever feeds `images` runs none of them. */
export function photoNodes(geometry: PhotoGeometry): GraphNode[] {
  const nodes: GraphNode[] = [];
  const emit = (op: string, of: PhotoType, inputs: readonly PhotoValue[], attributes: Attributes): PhotoValue => {
    const name = `${PORTS.photo}/${op.toLowerCase()}_${nodes.length}`;
    nodes.push({ name, op, attributes, inputs: inputs.map((input) => input.name) });
    return { name, type: of };
  };
  const axes = (...values: number[]): PhotoValue => ops.constant('int64', values, [values.length]);
  const ops: PhotoOps = {
    constant(of, values, lengths) {
      const name = `${PORTS.photo}/const_${nodes.length}`;
      const outputs = [{ shape: lengths, dtype: DT[of] }];
      const value = { kind: 'constant', outputs, value: bytesAs(of, values) } as const;
      nodes.push({ name, op: 'Const', attributes: {}, inputs: [], value });
      return { name, type: of };
    },
    cast: (x, to) => emit('Cast', to, [x], { SrcT: type(x.type), DstT: type(to) }),
    shape: (x) => emit('Shape', 'int64', [x], { T: type(x.type), out_type: type('int64') }),
    unary: (op, x) => emit(op, x.type, [x], { T: type(x.type) }),
    binary: (op, a, b) => emit(BINARY[op], a.type, [a, b], { T: type(a.type) }),
    reduce: (op, x, axis) =>
      emit(op, x.type, [x, axes(axis)], {
        T: type(x.type),
        Tidx: type('int64'),
        keep_dims: { kind: 'bool', value: op === 'Sum' },
      }),
    range: (from, to) =>
      emit('Range', from.type, [from, to, ops.constant(from.type, [1], [])], { Tidx: type(from.type) }),
    expand: (x, axis) => emit('ExpandDims', x.type, [x, axes(axis)], { T: type(x.type), Tdim: type('int64') }),
    gather: (x, indices) =>
      emit('GatherV2', x.type, [x, indices, ops.constant('int64', [0], [])], {
        Tparams: type(x.type),
        Tindices: type('int64'),
        Taxis: type('int64'),
      }),
    swap: (x) => emit('Transpose', x.type, [x, axes(1, 0, 2)], { T: type(x.type), Tperm: type('int64') }),
    product: (a, b) => emit('BatchMatMulV2', a.type, [a, b], { T: type(a.type) }),
  };
  const photo = { name: PORTS.photo, type: 'uint8' } as const;
  const images = photoGraph(ops, photo, geometry);
  const attributes = { dtype: type('uint8'), shape: shape([-1, -1, geometry.shape[2]]) };
  return [
    { name: PORTS.photo, op: 'Placeholder', attributes, inputs: [] },
    ...nodes,
    {
      name: PORTS.images,
      op: 'PlaceholderWithDefault',
      attributes: { dtype: type('uint8'), shape: shape([-1, ...geometry.shape]) },
      inputs: [images.name],
    },
  ];
}
