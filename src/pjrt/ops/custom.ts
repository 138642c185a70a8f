import { DT } from '../../graph/index.ts';
import type { Builder, Value } from '../builder.ts';
import { flagOf, type Lowerings, numberOf } from '../op-call.ts';
import { relu } from './elementwise.ts';
import { carried, count, inverseOf, leading, moments, normalised, normGradient, scaled } from './norms.ts';

const sum = (b: Builder, values: readonly Value[]): Value => values.reduce((a, c) => b.binary('add', a, c));
const last = ({ shape }: Value): number[] => [shape.length - 1];
/** `[rows]` copied along the last axis. */
const perRow = (b: Builder, values: Value, x: Value): Value => b.along(values, x.shape, leading(x));
const meanOfRows = (b: Builder, x: Value): Value => scaled(b, b.reduce('add', x, last(x)), 1 / x.shape.at(-1)!);

/** Φ(x) */
const distribution = (b: Builder, x: Value): Value => {
  const erf = b.unary('chlo.erf', scaled(b, x, Math.SQRT1_2));
  return scaled(b, b.binary('add', erf, b.like(1, erf)), 0.5);
};

/** x̂ of a layer norm's rows. */
const hatOf = (b: Builder, x: Value, mean: Value, inverse: Value): Value =>
  b.binary('multiply', b.binary('subtract', x, perRow(b, mean, x)), perRow(b, inverse, x));

/** tailmix's custom ops (`native/`) but convolutions, as recordings have them before neighbours are fused. */
export const custom: Lowerings = {
  TailmixBatchNorm: (call) => {
    const { b, inputs } = call;
    const [given, scale, shift, mean, variance, ...residuals] = inputs as [
      Value,
      Value,
      Value,
      Value,
      Value,
      ...Value[],
    ];
    const x = b.convert(given, DT.float32);
    const own = moments(b, x);
    const inverse = inverseOf(b, own.variance, numberOf(call, 'epsilon'));
    const pixels = count(x);
    const unbiased = scaled(b, own.variance, pixels / Math.max(1, pixels - 1));
    const momentum = numberOf(call, 'momentum');
    const y = normalised(b, x, own.mean, inverse, scale, shift);
    const all = sum(b, [y, ...residuals.map((residual) => b.convert(residual, DT.float32))]);
    const ended = b.convert(flagOf(call, 'relu') ? relu(b, all) : all, given.dtype);
    return [ended, carried(b, mean, own.mean, momentum), carried(b, variance, unbiased, momentum), own.mean, inverse];
  },
  TailmixBatchNormGrad: (call) => {
    const { b, inputs, refuse } = call;
    if (numberOf(call, 'summands', 1) !== 1 || flagOf(call, 'relu')) refuse('it is fused with its neighbours');
    const [dy, x, scale, , mean, inverse] = inputs as [Value, Value, Value, Value, Value, Value];
    const given = { scale, mean, inverse, trained: true };
    const [dx, ...sums] = normGradient(b, b.convert(dy, DT.float32), b.convert(x, DT.float32), given);
    return [b.convert(dx, x.dtype), ...sums];
  },
  TailmixSgd: (call) => {
    const { b, inputs } = call;
    const [weight, velocity, given, rate] = inputs as [Value, Value, Value, Value];
    const gradient = b.convert(given, DT.float32);
    const [momentum, decay] = [numberOf(call, 'momentum'), numberOf(call, 'decay')];
    const slope = decay === 0 ? gradient : b.binary('add', gradient, scaled(b, weight, decay));
    const next = b.binary('add', slope, scaled(b, velocity, momentum));
    const direction = flagOf(call, 'nesterov') ? b.binary('add', slope, scaled(b, next, momentum)) : next;
    return [b.binary('subtract', weight, b.binary('multiply', direction, rate)), next];
  },
  TailmixLayerNorm: (call) => {
    const [{ b }, [x, scale, shift]] = [call, call.inputs as [Value, Value, Value]];
    const mean = meanOfRows(b, x);
    const apart = b.binary('subtract', x, perRow(b, mean, x));
    const inverse = inverseOf(b, meanOfRows(b, b.binary('multiply', apart, apart)), numberOf(call, 'epsilon'));
    const hat = b.binary('multiply', apart, perRow(b, inverse, x));
    return [b.binary('add', b.binary('multiply', hat, scale), shift), mean, inverse];
  },
  /** `dx = (g − mean(g) − x̂·mean(g·x̂)) / σ` with `g = dy·γ` */
  TailmixLayerNormGrad: ({ b, inputs }) => {
    const [dy, x, scale, mean, inverse] = inputs as [Value, Value, Value, Value, Value];
    const hat = hatOf(b, x, mean, inverse);
    const g = b.binary('multiply', dy, scale);
    const along = b.binary('multiply', hat, perRow(b, meanOfRows(b, b.binary('multiply', g, hat)), x));
    const inner = b.binary('subtract', b.binary('subtract', g, perRow(b, meanOfRows(b, g), x)), along);
    return [b.binary('multiply', inner, perRow(b, inverse, x))];
  },
  TailmixLayerNormSums: ({ b, inputs }) => {
    const [dy, x, mean, inverse] = inputs as [Value, Value, Value, Value];
    const products = b.binary('multiply', dy, hatOf(b, x, mean, inverse));
    return [b.reduce('add', products, leading(x)), b.reduce('add', dy, leading(x))];
  },
  TailmixGelu: ({ b, inputs: [x] }) => [b.binary('multiply', x!, distribution(b, x!))],
  /** `dy·(Φ(x) + x·φ(x))` */
  TailmixGeluGrad: ({ b, inputs }) => {
    const [dy, x] = inputs as [Value, Value];
    const density = scaled(
      b,
      b.unary('exponential', scaled(b, b.binary('multiply', x, x), -0.5)),
      1 / Math.sqrt(2 * Math.PI),
    );
    return [b.binary('multiply', dy, b.binary('add', distribution(b, x), b.binary('multiply', x, density)))];
  },
  /** `y·(dy − Σ dy·y)` */
  TailmixSoftmaxGrad: ({ b, inputs }) => {
    const [dy, given] = inputs as [Value, Value];
    const y = b.convert(given, DT.float32);
    const total = b.reduce('add', b.binary('multiply', dy, y), last(y));
    return [b.binary('multiply', y, b.binary('subtract', dy, perRow(b, total, y)))];
  },
};
