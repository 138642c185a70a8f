import { DT } from '../../graph/index.ts';
import type { Builder, Value } from '../builder.ts';
import { type Lowering, type Lowerings, numberOf } from '../op-call.ts';

const unary =
  (name: string): Lowering =>
  ({ b, inputs: [x] }) => [b.unary(name, x!)];
const binary =
  (name: string): Lowering =>
  ({ b, inputs: [x, y] }) => [b.binary(name, x!, y!)];
const compare =
  (direction: Parameters<Builder['compare']>[0]): Lowering =>
  ({ b, inputs: [x, y] }) => [b.compare(direction, x!, y!)];
const same: Lowering = ({ inputs: [x] }) => [x!];

export const relu = (b: Builder, x: Value): Value => b.binary('maximum', x, b.like(0, x));
const isPositive = (b: Builder, x: Value): Value => b.compare('GT', x, b.like(0, x));
/** `x` where the condition holds, 0 elsewhere. */
const where = (b: Builder, condition: Value, x: Value): Value => b.select(condition, x, b.like(0, x));
const square = (b: Builder, x: Value): Value => b.binary('multiply', x, x);

/** Constants of SELU (Klambauer et al. 2017). */
const SELU = { alpha: 1.6732632423543772, scale: 1.0507009873554805 };

/** The remainder that has the sign of the divisor. */
function floorMod(b: Builder, x: Value, y: Value): Value {
  const rest = b.binary('remainder', x, y);
  const [zero, apart] = [b.like(0, rest), b.binary('add', rest, y)];
  const differs = b.compare('NE', b.compare('LT', rest, zero), b.compare('LT', b.broadcast(y, rest.shape), zero));
  return b.select(b.binary('and', b.compare('NE', rest, zero), differs), apart, rest);
}

/** Ops that compute each element by itself. */
export const elementwise: Lowerings = {
  Identity: same,
  StopGradient: same,
  PreventGradient: same,
  Abs: unary('abs'),
  Acos: unary('chlo.acos'),
  Acosh: unary('chlo.acosh'),
  Asin: unary('chlo.asin'),
  Asinh: unary('chlo.asinh'),
  Atan: unary('chlo.atan'),
  Atanh: unary('chlo.atanh'),
  Ceil: unary('ceil'),
  Cos: unary('cosine'),
  Cosh: unary('chlo.cosh'),
  Erf: unary('chlo.erf'),
  Exp: unary('exponential'),
  Expm1: unary('exponential_minus_one'),
  Floor: unary('floor'),
  Log: unary('log'),
  Log1p: unary('log_plus_one'),
  LogicalNot: unary('not'),
  Neg: unary('negate'),
  Round: unary('round_nearest_even'),
  Rsqrt: unary('rsqrt'),
  Sigmoid: unary('logistic'),
  Sign: unary('sign'),
  Sin: unary('sine'),
  Sinh: unary('chlo.sinh'),
  Sqrt: unary('sqrt'),
  Tan: unary('tan'),
  Tanh: unary('tanh'),
  IsFinite: ({ b, inputs: [x] }) => [b.unary('is_finite', x!, DT.bool)],
  IsNan: ({ b, inputs: [x] }) => [b.compare('NE', x!, x!)],
  IsInf: ({ b, inputs: [x] }) => [b.compare('EQ', b.unary('abs', x!), b.like(Infinity, x!))],
  Square: ({ b, inputs: [x] }) => [square(b, x!)],
  Reciprocal: ({ b, inputs: [x] }) => [b.binary('divide', b.like(1, x!), x!)],
  OnesLike: ({ b, inputs: [x] }) => [b.like(1, x!)],
  ZerosLike: ({ b, inputs: [x] }) => [b.like(0, x!)],
  Cast: (call) => [cast(call.b, call.inputs[0]!, numberOf(call, 'DstT'))],
  Relu: ({ b, inputs: [x] }) => [relu(b, x!)],
  Relu6: ({ b, inputs: [x] }) => [b.binary('minimum', relu(b, x!), b.like(6, x!))],
  LeakyRelu: (call) => {
    const { b, inputs } = call;
    const x = inputs[0]!;
    return [b.select(isPositive(b, x), x, b.binary('multiply', x, b.like(numberOf(call, 'alpha', 0.2), x)))];
  },
  Elu: ({ b, inputs: [x] }) => [b.select(isPositive(b, x!), x!, b.unary('exponential_minus_one', x!))],
  Selu: ({ b, inputs: [x] }) => {
    const below = b.binary('multiply', b.unary('exponential_minus_one', x!), b.like(SELU.alpha * SELU.scale, x!));
    return [b.select(isPositive(b, x!), b.binary('multiply', x!, b.like(SELU.scale, x!)), below)];
  },
  Softplus: ({ b, inputs: [x] }) => {
    const tail = b.unary('log_plus_one', b.unary('exponential', b.unary('negate', b.unary('abs', x!))));
    return [b.binary('add', relu(b, x!), tail)];
  },
  ReluGrad: ({ b, inputs: [dy, y] }) => [where(b, isPositive(b, y!), dy!)],
  Relu6Grad: ({ b, inputs: [dy, y] }) => {
    const inside = b.binary('and', isPositive(b, y!), b.compare('LT', y!, b.like(6, y!)));
    return [where(b, inside, dy!)];
  },
  EluGrad: ({ b, inputs: [dy, y] }) => {
    const slope = b.binary('add', y!, b.like(1, y!));
    return [b.select(b.compare('LT', y!, b.like(0, y!)), b.binary('multiply', dy!, slope), dy!)];
  },

  Add: binary('add'),
  AddV2: binary('add'),
  Sub: binary('subtract'),
  Mul: binary('multiply'),
  RealDiv: binary('divide'),
  Maximum: binary('maximum'),
  Minimum: binary('minimum'),
  Pow: binary('power'),
  Atan2: binary('atan2'),
  LogicalAnd: binary('and'),
  LogicalOr: binary('or'),
  Equal: compare('EQ'),
  NotEqual: compare('NE'),
  Less: compare('LT'),
  LessEqual: compare('LE'),
  Greater: compare('GT'),
  GreaterEqual: compare('GE'),
  AddN: ({ b, inputs }) => [inputs.reduce((sum, x) => b.binary('add', sum, x))],
  BiasAdd: ({ b, inputs: [x, bias] }) => [b.binary('add', x!, bias!)],
  SquaredDifference: ({ b, inputs: [x, y] }) => [square(b, b.binary('subtract', x!, y!))],
  FloorDiv: ({ b, inputs: [x, y] }) =>
    x!.dtype === DT.float32
      ? [b.unary('floor', b.binary('divide', x!, y!))]
      : [b.binary('divide', b.binary('subtract', x!, floorMod(b, x!, y!)), y!)],
  FloorMod: ({ b, inputs: [x, y] }) => [floorMod(b, x!, y!)],
  Select: ({ b, inputs: [condition, x, y], outputs: [out] }) => {
    // The first form of the op takes one condition for each row.
    const rows = condition!.shape.length === 1 && out!.shape.length > 1;
    const wide = rows ? b.along(condition!, out!.shape, [0]) : b.broadcast(condition!, out!.shape);
    return [b.select(wide, b.broadcast(x!, out!.shape), b.broadcast(y!, out!.shape))];
  },
  SelectV2: ({ b, inputs: [condition, x, y], outputs: [out] }) => [
    b.select(b.broadcast(condition!, out!.shape), b.broadcast(x!, out!.shape), b.broadcast(y!, out!.shape)),
  ],
};

/** To whole numbers by cutting off, to booleans by comparing with 0. */
function cast(b: Builder, x: Value, dtype: number): Value {
  if (x.dtype === dtype) return x;
  return dtype === DT.bool ? b.compare('NE', x, b.like(0, x)) : b.convert(x, dtype);
}
