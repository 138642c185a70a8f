import { DT } from '../../graph/index.ts';
import { sizeOf } from '../../util/shape.ts';
import type { Builder, Value } from '../builder.ts';
import { type Lowering, type Lowerings, numberOf, type OpCall } from '../op-call.ts';

/** `[channels]` copied to all pixels of images of this shape. */
const perChannel = (b: Builder, values: Value, shape: readonly number[]): Value =>
  b.along(values, shape, [shape.length - 1]);

/** All axes but the last: of images, batch, height and width. */
export const leading = ({ shape }: Value): number[] => shape.slice(0, -1).map((_, i) => i);
/** Pixels, of which statistics are taken. */
export const count = ({ shape }: Value): number => sizeOf(shape.slice(0, -1));

export const scaled = (b: Builder, a: Value, factor: number): Value => b.binary('multiply', a, b.like(factor, a));
const over = (b: Builder, a: Value, divisor: number): Value => b.binary('divide', a, b.like(divisor, a));

/** Mean and biased variance of each channel, the latter of differences to the mean. */
export function moments(b: Builder, x: Value): { mean: Value; variance: Value; squares: Value } {
  const mean = over(b, b.reduce('add', x, leading(x)), count(x));
  const apart = b.binary('subtract', x, perChannel(b, mean, x.shape));
  const squares = b.reduce('add', b.binary('multiply', apart, apart), leading(x));
  return { mean, variance: over(b, squares, count(x)), squares };
}

/** `(x − mean)·(scale·inverse) + shift` */
export function normalised(b: Builder, x: Value, mean: Value, inverse: Value, scale: Value, shift: Value): Value {
  const factor = b.binary('multiply', inverse, scale);
  const apart = b.binary('subtract', x, perChannel(b, mean, x.shape));
  return b.binary('add', b.binary('multiply', apart, perChannel(b, factor, x.shape)), perChannel(b, shift, x.shape));
}

export const inverseOf = (b: Builder, variance: Value, epsilon: number): Value =>
  b.unary('rsqrt', b.binary('add', variance, b.like(epsilon, variance)));

/** `old + weight·(now − old)` */
export const carried = (b: Builder, old: Value, now: Value, weight: number): Value =>
  weight === 1 ? now : b.binary('add', scaled(b, old, 1 - weight), scaled(b, now, weight));

/** Gradients of a norm for x, scale and shift, whose statistics are those of the batch (`trained`) or fixed. */
export function normGradient(
  b: Builder,
  dy: Value,
  x: Value,
  { scale, mean, inverse, trained }: { scale: Value; mean: Value; inverse: Value; trained: boolean },
): [dx: Value, dscale: Value, dshift: Value] {
  const apart = b.binary('subtract', x, perChannel(b, mean, x.shape));
  const hat = b.binary('multiply', apart, perChannel(b, inverse, x.shape));
  const dshift = b.reduce('add', dy, leading(x));
  const dscale = b.reduce('add', b.binary('multiply', dy, hat), leading(x));
  const factor = perChannel(b, b.binary('multiply', scale, inverse), x.shape);
  const each = (sum: Value): Value => perChannel(b, over(b, sum, count(x)), x.shape);
  const inner = trained
    ? b.binary('subtract', b.binary('subtract', dy, each(dshift)), b.binary('multiply', hat, each(dscale)))
    : dy;
  return [b.binary('multiply', inner, factor), dscale, dshift];
}

/** Epsilon of TensorFlow's ops where a recording has none. */
const EPSILON = 1e-4;

const batchNorm: Lowering = (call) => {
  const { b, inputs, outputs } = call;
  const [given, scale, shift, mean, variance] = inputs as [Value, Value, Value, Value, Value];
  const x = b.convert(given, DT.float32);
  const epsilon = numberOf(call, 'epsilon', EPSILON);
  // What eager execution fills in is true.
  const trained = call.attributes.is_training?.value !== false;
  const rest = (from: number): Value[] => outputs.slice(from).map((spec) => b.like(0, spec));
  if (!trained) {
    const y = normalised(b, x, mean, inverseOf(b, variance, epsilon), scale, shift);
    return [b.convert(y, given.dtype), mean, variance, mean, variance, ...rest(5)];
  }
  const own = moments(b, x);
  const unbiased = over(b, own.squares, Math.max(1, count(x) - 1));
  const weight = numberOf(call, 'exponential_avg_factor', 1);
  const y = normalised(b, x, own.mean, inverseOf(b, own.variance, epsilon), scale, shift);
  const next = [carried(b, mean, own.mean, weight), carried(b, variance, unbiased, weight)];
  return [b.convert(y, given.dtype), ...next, own.mean, own.variance, ...rest(5)];
};

/** Batch norms of TensorFlow and their gradient; statistics and sums are float32. */
export const norms: Lowerings = {
  FusedBatchNorm: batchNorm,
  FusedBatchNormV3: batchNorm,
  FusedBatchNormGradV3: (call: OpCall) => {
    const { b, inputs, outputs } = call;
    const [dy, x, scale, mean, variance] = inputs as [Value, Value, Value, Value, Value];
    const inverse = inverseOf(b, variance, numberOf(call, 'epsilon', EPSILON));
    const trained = call.attributes.is_training?.value !== false;
    const given = { scale, mean, inverse, trained };
    const [dx, ...sums] = normGradient(b, b.convert(dy, DT.float32), b.convert(x, DT.float32), given);
    return [b.convert(dx, x.dtype), ...sums, ...outputs.slice(3).map((spec) => b.like(0, spec))];
  },
};
