import { sizeOf } from '../../util/shape.ts';
import type { Value } from '../builder.ts';
import { fromFront, type Lowering, type Lowerings, numberOf, type OpCall } from '../op-call.ts';

const reshape: Lowering = ({ b, inputs: [x], outputs: [out] }) => [b.reshape(x!, out!.shape)];

/** Pairs of paddings, `[rank, 2]`, as two lists. */
const lowAndHigh = (pairs: readonly number[]): [low: number[], high: number[]] => [
  pairs.filter((_, i) => i % 2 === 0),
  pairs.filter((_, i) => i % 2 === 1),
];

/** Cuts `x` into parts of these lengths along an axis. */
function split({ b }: OpCall, x: Value, axis: number, lengths: readonly number[]): Value[] {
  let at = 0;
  return lengths.map((length) => {
    const from = x.shape.map((_, i) => (i === axis ? at : 0));
    const to = x.shape.map((n, i) => (i === axis ? at + length : n));
    at += length;
    return b.slice(x, from, to);
  });
}

/** What an op computes from host values alone. */
const known =
  (values: (call: OpCall) => readonly number[]): Lowering =>
  (call) => [call.b.list(values(call), call.outputs[0]!.shape, call.outputs[0]!.dtype)];

/** Ops that move elements. */
export const shapes: Lowerings = {
  Reshape: reshape,
  ExpandDims: reshape,
  Squeeze: reshape,
  Transpose: ({ b, inputs: [x], host }) => [b.transpose(x!, host(1))],
  ReverseV2: ({ b, inputs: [x], host }) => {
    const axes = fromFront(host(1), x!.shape.length);
    return axes.length === 0 ? [x!] : [b.op('stablehlo.reverse', [x!], x!, `, dims = [${axes}]`)];
  },
  BroadcastTo: ({ b, inputs: [x], outputs: [out] }) => [b.broadcast(x!, out!.shape)],
  Fill: ({ b, inputs: [, value], outputs: [out] }) => [b.broadcast(value!, out!.shape)],
  Tile: ({ b, inputs: [x], outputs: [out], host }) => {
    const times = host(1);
    const inner = x!.shape.flatMap((n, i) => [times[i]!, n]);
    return [
      b.reshape(
        b.along(
          x!,
          inner,
          x!.shape.map((_, i) => 2 * i + 1),
        ),
        out!.shape,
      ),
    ];
  },
  Slice: ({ b, inputs: [x], outputs: [out], host }) => {
    const from = host(1);
    return [
      b.slice(
        x!,
        from,
        from.map((first, i) => first + out!.shape[i]!),
      ),
    ];
  },
  StridedSlice: (call) => {
    const { b, inputs, outputs, host, refuse } = call;
    const x = inputs[0]!;
    if (numberOf(call, 'ellipsis_mask') + numberOf(call, 'new_axis_mask') > 0) refuse('it adds axes');
    const [begin, end, strides] = [host(1), host(2), host(3)];
    const masked = (name: string, i: number): boolean => ((numberOf(call, name) >> i) & 1) === 1;
    let [from, to, steps, turned]: [number[], number[], number[], number[]] = [[], [], [], []];
    for (const [i, length] of x.shape.entries()) {
      const step = strides[i] ?? 1;
      const inside = (value: number): number =>
        Math.min(Math.max(value < 0 ? value + length : value, step > 0 ? 0 : -1), step > 0 ? length : length - 1);
      const first = i >= begin.length || masked('begin_mask', i) ? (step > 0 ? 0 : length - 1) : inside(begin[i]!);
      const one = i < begin.length && masked('shrink_axis_mask', i);
      const last = one
        ? first + 1
        : i >= end.length || masked('end_mask', i)
          ? step > 0
            ? length
            : -1
          : inside(end[i]!);
      if (step > 0 || one) {
        [from, to, steps] = [
          [...from, first],
          [...to, Math.max(first, last)],
          [...steps, one ? 1 : step],
        ];
        continue;
      }
      // Backwards: the same elements forwards, then turned.
      const count = Math.max(0, Math.ceil((first - last) / -step));
      const lowest = count === 0 ? 0 : first + (count - 1) * step;
      [from, to, steps, turned] = [
        [...from, lowest],
        [...to, count === 0 ? 0 : first + 1],
        [...steps, -step],
        [...turned, i],
      ];
    }
    const cut = b.slice(x, from, to, steps);
    const right = turned.length === 0 ? cut : b.op('stablehlo.reverse', [cut], cut, `, dims = [${turned}]`);
    return [b.reshape(right, outputs[0]!.shape)];
  },
  ConcatV2: ({ b, inputs, host }) => {
    const values = inputs.slice(0, -1);
    const [axis] = fromFront(host(values.length), values[0]!.shape.length) as [number];
    return [b.concatenate(values, axis)];
  },
  Pack: (call) => {
    const { b, inputs, outputs } = call;
    const [axis] = fromFront([numberOf(call, 'axis')], outputs[0]!.shape.length) as [number];
    const single = outputs[0]!.shape.map((n, i) => (i === axis ? 1 : n));
    return [
      b.concatenate(
        inputs.map((x) => b.reshape(x, single)),
        axis,
      ),
    ];
  },
  Unpack: (call) => {
    const x = call.inputs[0]!;
    const [axis] = fromFront([numberOf(call, 'axis')], x.shape.length) as [number];
    return split(
      call,
      x,
      axis,
      call.outputs.map(() => 1),
    ).map((part, i) => call.b.reshape(part, call.outputs[i]!.shape));
  },
  SplitV: (call) => {
    const x = call.inputs[0]!;
    const [axis] = fromFront(call.host(2), x.shape.length) as [number];
    return split(
      call,
      x,
      axis,
      call.outputs.map(({ shape }) => shape[axis]!),
    );
  },
  Pad: ({ b, inputs: [x], host }) => [b.pad(x!, b.splat(0, [], x!.dtype), ...lowAndHigh(host(1)))],
  PadV2: ({ b, inputs: [x, , value], host }) => [b.pad(x!, value!, ...lowAndHigh(host(1)))],
  MirrorPad: (call) => {
    const { b, inputs, host, attributes } = call;
    const [low, high] = lowAndHigh(host(1));
    const skip = attributes.mode?.value === 'SYMMETRIC' ? 0 : 1;
    return [
      inputs[0]!.shape.reduce((x, _, axis) => {
        const part = (from: number, count: number): Value => {
          const range = x.shape.map((n, i): [number, number] => (i === axis ? [from, from + count] : [0, n]));
          const cut = b.slice(
            x,
            range.map(([first]) => first),
            range.map(([, end]) => end),
          );
          return b.op('stablehlo.reverse', [cut], cut, `, dims = [${axis}]`);
        };
        const length = x.shape[axis]!;
        const [before, after] = [low[axis]!, high[axis]!];
        const parts = [
          ...(before > 0 ? [part(skip, before)] : []),
          x,
          ...(after > 0 ? [part(length - skip - after, after)] : []),
        ];
        return parts.length === 1 ? x : b.concatenate(parts, axis);
      }, inputs[0]!),
    ];
  },
  DepthToSpace: (call) => {
    const { b, inputs, outputs } = call;
    const [n, h, w, c] = inputs[0]!.shape as [number, number, number, number];
    const size = numberOf(call, 'block_size');
    const blocks = b.reshape(inputs[0]!, [n, h, w, size, size, c / size ** 2]);
    return [b.reshape(b.transpose(blocks, [0, 1, 3, 2, 4, 5]), outputs[0]!.shape)];
  },
  SpaceToBatchND: ({ b, inputs: [x], outputs: [out], host }) => {
    const [block, pairs] = [host(1), host(2)];
    const m = block.length;
    const around = (side: number): number[] =>
      x!.shape.map((_, i) => (i > 0 && i <= m ? pairs[2 * (i - 1) + side]! : 0));
    const padded = b.pad(x!, b.splat(0, [], x!.dtype), around(0), around(1));
    const [batch, ...rest] = padded.shape as [number, ...number[]];
    const tail = rest.slice(m);
    const cut = b.reshape(padded, [batch, ...block.flatMap((size, i) => [rest[i]! / size, size]), ...tail]);
    const order = [
      ...block.map((_, i) => 2 * i + 2),
      0,
      ...block.map((_, i) => 2 * i + 1),
      ...tail.map((_, i) => 2 * m + 1 + i),
    ];
    return [b.reshape(b.transpose(cut, order), out!.shape)];
  },
  BatchToSpaceND: ({ b, inputs: [x], outputs: [out], host }) => {
    const [block, pairs] = [host(1), host(2)];
    const m = block.length;
    const [all, ...rest] = x!.shape as [number, ...number[]];
    const [batch, tail] = [all / sizeOf(block), rest.slice(m)];
    const cut = b.reshape(x!, [...block, batch, ...rest]);
    const order = [m, ...block.flatMap((_, i) => [m + 1 + i, i]), ...tail.map((_, i) => 2 * m + 1 + i)];
    const whole = b.reshape(b.transpose(cut, order), [batch, ...block.map((size, i) => size * rest[i]!), ...tail]);
    const from = whole.shape.map((_, i) => (i > 0 && i <= m ? pairs[2 * (i - 1)]! : 0));
    return [
      b.slice(
        whole,
        from,
        from.map((first, i) => first + out!.shape[i]!),
      ),
    ];
  },
  Range: known(({ host, outputs: [out] }) => {
    const [first, , step] = [host(0)[0]!, host(1)[0]!, host(2)[0]!];
    return Array.from({ length: out!.shape[0]! }, (_, i) => first + i * step);
  }),
  LinSpace: known(({ host, outputs: [out] }) => {
    const [first, last, count] = [host(0)[0]!, host(1)[0]!, out!.shape[0]!];
    const step = Math.fround((last - first) / Math.max(1, count - 1));
    return Array.from({ length: count }, (_, i) => (i === count - 1 && count > 1 ? last : first + step * i));
  }),
  Diag: ({ b, inputs: [x], outputs: [out] }) => {
    const n = sizeOf(x!.shape);
    const [row, column] = [b.iota([n, n], 0), b.iota([n, n], 1)];
    const copies = b.along(b.reshape(x!, [n]), [n, n], [1]);
    return [b.reshape(b.select(b.compare('EQ', row, column), copies, b.like(0, copies)), out!.shape)];
  },
};
