import { DT } from '../../graph/index.ts';
import { sizeOf } from '../../util/shape.ts';
import { type Builder, i64List, type Value } from '../builder.ts';
import { fromFront, type Lowerings, numberOf, type OpCall } from '../op-call.ts';
import { tensorType } from '../types.ts';

/** Rows of `x` that `indices` name along an axis. */
function gather(b: Builder, x: Value, indices: Value, axis: number, shape: readonly number[]): Value {
  const rank = indices.shape.length;
  const offsets = shape.map((_, i) => i).filter((i) => i < axis || i >= axis + rank);
  return gathered(b, x, b.reshape(indices, [...indices.shape, 1]), [axis], offsets, shape);
}

/** What `indices` `[…, depth]` name by their places along `axes`; `offsets` are the axes of the result that come from the rest of `x`. */
function gathered(
  b: Builder,
  x: Value,
  indices: Value,
  axes: readonly number[],
  offsets: readonly number[],
  shape: readonly number[],
): Value {
  const sizes = x.shape.map((n, i) => (axes.includes(i) ? 1 : n));
  const spec = { shape, dtype: x.dtype };
  return b.emit(
    spec,
    `"stablehlo.gather"(${x.id}, ${indices.id}) {dimension_numbers = #stablehlo.gather<offset_dims = [${offsets}], collapsed_slice_dims = [${axes}], start_index_map = [${axes}], index_vector_dim = ${indices.shape.length - 1}>, slice_sizes = ${i64List(sizes)}, indices_are_sorted = false} : (${tensorType(x)}, ${tensorType(indices)}) -> ${tensorType(spec)}`,
  );
}

/**
 * `x` with `updates` `[…, rest]` added to, or put in the place of, what `indices` `[…, depth]` name. What is out of range is
 * passed over.
 */
export function scatter(b: Builder, x: Value, indices: Value, updates: Value, how: 'add' | 'replace'): Value {
  const last = indices.shape.length - 1;
  const depth = indices.shape[last]!;
  const window = updates.shape.map((_, i) => i).slice(last);
  const named = Array.from({ length: depth }, (_, i) => i);
  const type = tensorType({ shape: [], dtype: x.dtype });
  const combined =
    how === 'add'
      ? `%r = stablehlo.add %a, %b : ${type}\n      stablehlo.return %r : ${type}`
      : `stablehlo.return %b : ${type}`;
  return b.emit(
    x,
    `"stablehlo.scatter"(${x.id}, ${indices.id}, ${updates.id}) ({\n    ^bb0(%a: ${type}, %b: ${type}):\n      ${combined}\n    }) {scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [${window}], inserted_window_dims = [${named}], scatter_dims_to_operand_dims = [${named}], index_vector_dim = ${last}>, indices_are_sorted = false, unique_indices = false} : (${tensorType(x)}, ${tensorType(indices)}, ${tensorType(updates)}) -> ${tensorType(x)}`,
  );
}

/** Ones where the index is the place along an axis of `shape`. */
function oneHot(call: OpCall): Value {
  const { b, inputs, outputs } = call;
  const [indices, , on, off] = inputs as [Value, Value, Value, Value];
  const { shape } = outputs[0]!;
  const [axis] = fromFront([numberOf(call, 'axis', -1)], shape.length) as [number];
  const places = b.iota(shape, axis, indices.dtype);
  const rows = b.along(
    indices,
    shape,
    shape.map((_, i) => i).filter((i) => i !== axis),
  );
  return b.select(b.compare('EQ', places, rows), b.broadcast(on, shape), b.broadcast(off, shape));
}

/** Ops that read and write by index. */
export const indexing: Lowerings = {
  GatherV2: (call) => {
    const { b, inputs, outputs, host, refuse } = call;
    const [x, indices] = inputs as [Value, Value];
    if (numberOf(call, 'batch_dims') !== 0) refuse('it has batch dimensions');
    const [axis] = fromFront(host(2), x.shape.length) as [number];
    return [gather(b, x, indices, axis, outputs[0]!.shape)];
  },
  GatherNd: ({ b, inputs, outputs: [out] }) => {
    const [x, indices] = inputs as [Value, Value];
    const last = indices.shape.length - 1;
    const depth = indices.shape[last]!;
    const named = Array.from({ length: depth }, (_, i) => i);
    const offsets = out!.shape.map((_, i) => i).slice(last);
    return [gathered(b, x, indices, named, offsets, out!.shape)];
  },
  ScatterNd: ({ b, inputs: [indices, updates], outputs: [out] }) => [
    scatter(b, b.like(0, out!), indices!, updates!, 'add'),
  ],
  TensorScatterUpdate: ({ b, inputs: [x, indices, updates] }) => [scatter(b, x!, indices!, updates!, 'replace')],
  UnsortedSegmentSum: ({ b, inputs: [x, segments], outputs: [out] }) => [
    scatter(b, b.like(0, out!), b.reshape(segments!, [...segments!.shape, 1]), x!, 'add'),
  ],
  Bincount: ({ b, inputs: [values, , weights], outputs: [out] }) => {
    const places = b.reshape(values!, [sizeOf(values!.shape), 1]);
    const counted = sizeOf(weights!.shape) === 0 ? b.splat(1, [sizeOf(values!.shape)], out!.dtype) : weights!;
    return [scatter(b, b.like(0, out!), places, b.reshape(counted, [sizeOf(values!.shape)]), 'add')];
  },
  OneHot: (call) => [oneHot(call)],
  TopKV2: ({ b, inputs: [x], outputs }) => {
    const [values, indices] = outputs as [Value, Value];
    const k = values.shape.at(-1)!;
    return b.multi(
      [values, indices],
      `chlo.top_k(${x!.id}, k = ${k}) : ${tensorType(x!)} -> (${tensorType(values)}, ${tensorType({ ...indices, dtype: DT.int32 })})`,
    );
  },
};
