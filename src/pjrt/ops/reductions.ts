import { DT } from '../../graph/index.ts';
import { sizeOf } from '../../util/shape.ts';
import type { Builder, Reduction, Value } from '../builder.ts';
import { flagOf, fromFront, type Lowering, type Lowerings, type OpCall } from '../op-call.ts';

const reduced = (call: OpCall, reduction: Reduction): Value => {
  const x = call.inputs[0]!;
  return call.b.reduce(reduction, x, fromFront(call.host(1), x.shape.length), flagOf(call, 'keep_dims'));
};
const reduce =
  (reduction: Reduction): Lowering =>
  (call) => [reduced(call, reduction)];

/** The first place of the largest or least number along an axis; a NaN counts as such, as in TensorFlow. */
const place =
  (reduction: 'maximum' | 'minimum'): Lowering =>
  ({ b, inputs: [x], outputs: [out], host }) => {
    const [axis] = fromFront(host(1), x!.shape.length) as [number];
    const best = b.broadcast(b.reduce(reduction, x!, [axis], true), x!.shape);
    const places = b.iota(x!.shape, axis);
    const last = b.splat(x!.shape[axis]! - 1, x!.shape, DT.int32);
    const first = b.reduce('minimum', b.select(b.compare('EQ', x!, best), places, last), [axis]);
    return [b.convert(first, out!.dtype)];
  };

/** Sums or products of all elements up to each one. */
const running =
  (reduction: 'add' | 'multiply'): Lowering =>
  (call) => {
    const { b, inputs, host } = call;
    const [axis] = fromFront(host(1), inputs[0]!.shape.length) as [number];
    const [exclusive, reverse] = [flagOf(call, 'exclusive'), flagOf(call, 'reverse')];
    const x = inputs[0]!;
    const length = x.shape[axis]!;
    const before = x.shape.map((_, i) => (i === axis ? length - 1 : 0));
    const around = before.map((n): [number, number] => (reverse ? [0, n] : [n, 0]));
    const sizes = x.shape.map((_, i) => (i === axis ? length : 1));
    const ones = x.shape.map(() => 1);
    const all = b.window(reduction, x, sizes, ones, around);
    return [exclusive ? shifted(b, all, axis, reverse, reduction === 'add' ? 0 : 1) : all];
  };

/** Each element moved by one along an axis, and `value` where none is before it. */
function shifted(b: Builder, x: Value, axis: number, toFront: boolean, value: number): Value {
  const step = x.shape.map((_, i) => (i === axis ? 1 : 0));
  const back = step.map((n) => -n);
  return toFront
    ? b.pad(x, b.splat(value, [], x.dtype), back, step)
    : b.pad(x, b.splat(value, [], x.dtype), step, back);
}

const softmax = (b: Builder, x: Value): Value => {
  const last = [x.shape.length - 1];
  const e = b.unary('exponential', b.binary('subtract', x, b.reduce('maximum', x, last, true)));
  return b.binary('divide', e, b.reduce('add', e, last, true));
};

/** Ops that reduce along axes. */
export const reductions: Lowerings = {
  Sum: reduce('add'),
  Prod: reduce('multiply'),
  Max: reduce('maximum'),
  Min: reduce('minimum'),
  All: reduce('and'),
  Any: reduce('or'),
  Mean: (call) => {
    const [{ b }, sum] = [call, reduced(call, 'add')];
    return [b.binary('divide', sum, b.like(sizeOf(call.inputs[0]!.shape) / sizeOf(sum.shape), sum))];
  },
  ArgMax: place('maximum'),
  ArgMin: place('minimum'),
  Cumsum: running('add'),
  Cumprod: running('multiply'),
  Softmax: ({ b, inputs: [x] }) => [softmax(b, x!)],
  /** Loss of each row, and its gradient. */
  SparseSoftmaxCrossEntropyWithLogits: ({ b, inputs: [logits, labels] }) => {
    const x = logits!;
    const shifts = b.binary('subtract', x, b.reduce('maximum', x, [1], true));
    const e = b.unary('exponential', shifts);
    const sum = b.reduce('add', e, [1]);
    const own = b.compare('EQ', b.iota(x.shape, 1), b.along(b.convert(labels!, DT.int32), x.shape, [0]));
    const picked = b.reduce('add', b.select(own, shifts, b.like(0, x)), [1]);
    const gradient = b.binary('divide', e, b.along(sum, x.shape, [0]));
    const hot = b.select(own, b.like(1, x), b.like(0, x));
    return [b.binary('subtract', b.unary('log', sum), picked), b.binary('subtract', gradient, hot)];
  },
};
