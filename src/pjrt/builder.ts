import { DT } from '../graph/index.ts';
import { elementType, tensorType } from './types.ts';

/** A tensor in the program that is being written. */
export interface Value {
  /** `%7`; that of a constant is written where it is first read. */
  readonly id: string;
  readonly shape: readonly number[];
  /** TensorFlow's number. */
  readonly dtype: number;
}

type Spec = Pick<Value, 'shape' | 'dtype'>;

/** Ops that reduce, and what each starts from. */
const STARTS = { add: 0, maximum: -Infinity, minimum: Infinity, multiply: 1, and: 1, or: 0 };
export type Reduction = keyof typeof STARTS;

export type Builder = ReturnType<typeof createBuilder>;

/** Axes of NumPy's broadcasting of two shapes. */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    return x === 1 ? y : x;
  });
}

export const i64List = (values: readonly number[]): string =>
  `array<i64${values.length > 0 ? `: ${values.join(', ')}` : ''}>`;

/** Paddings before and after each axis, as an attribute. */
export const paddingText = (pairs: readonly (readonly [number, number])[]): string =>
  `dense<${JSON.stringify(pairs)}> : tensor<${pairs.length}x2xi64>`;

/** A number as MLIR writes it. */
function literal(value: number, dtype: number): string {
  const { name } = elementType(dtype);
  if (dtype === DT.bool) return String(value !== 0);
  if (!/^(f|bf)/.test(name)) return String(value);
  const bits: Readonly<Record<string, [string, string, string]>> = {
    f32: ['0x7F800000', '0xFF800000', '0x7FC00000'],
    bf16: ['0x7F80', '0xFF80', '0x7FC0'],
    f64: ['0x7FF0000000000000', '0xFFF0000000000000', '0x7FF8000000000000'],
  };
  if (!Number.isFinite(value)) return bits[name]![Number.isNaN(value) ? 2 : value > 0 ? 0 : 1]!;
  return name === 'f64' ? value.toExponential(17) : Math.fround(value).toExponential(9);
}

/** Least and largest number of a type: what a maximum or minimum starts from. */
function start(reduction: Reduction, dtype: number): number {
  const value = STARTS[reduction];
  if (Number.isFinite(value) || /^(f|bf)/.test(elementType(dtype).name)) return value;
  return value > 0 ? 2 ** 31 - 1 : -(2 ** 31);
}

/** Writes a function of StableHLO, op by op: a small vocabulary over its text. `location` names what is being lowered. */
export function createBuilder() {
  const lines: string[] = [];
  const origins: number[] = [];
  let origin = -1;
  let next = 0;
  const splats = new Map<string, Value>();

  /** Adds an op: `%n = text loc(…)`. */
  const emit = (spec: Spec, text: string): Value => multi([spec], text)[0]!;
  /** Adds an op with several results. */
  const multi = (specs: readonly Spec[], text: string): Value[] => {
    const id = `%${next++}`;
    for (const line of `    ${id}${specs.length > 1 ? `:${specs.length}` : ''} = ${text} loc(#at${origin + 1})`.split(
      '\n',
    )) {
      lines.push(line);
      origins.push(origin);
    }
    return specs.map(({ shape, dtype }, i) => ({ shape, dtype, id: specs.length > 1 ? `${id}#${i}` : id }));
  };

  const constant = (spec: Spec, data: string): Value =>
    emit(spec, `stablehlo.constant dense<${data}> : ${tensorType(spec)}`);
  const splat = (value: number, shape: readonly number[] = [], dtype: number = DT.float32): Value => {
    const key = `${Object.is(value, -0) ? '-0' : value} ${shape} ${dtype}`;
    const known = splats.get(key) ?? constant({ shape, dtype }, literal(value, dtype));
    splats.set(key, known);
    return known;
  };
  /** The same number in each place of a tensor like `a`. */
  const like = (value: number, { shape, dtype }: Spec): Value => splat(value, shape, dtype);
  /** Numbers that the host knows, row by row. */
  const list = (values: readonly number[], shape: readonly number[], dtype: number = DT.float32): Value => {
    const nested = (from: number, [length, ...rest]: readonly number[]): string => {
      if (length === undefined) return literal(values[from]!, dtype);
      const step = rest.reduce((a, b) => a * b, 1);
      return `[${Array.from({ length }, (_, i) => nested(from + i * step, rest)).join(', ')}]`;
    };
    return constant({ shape, dtype }, values.length === 0 ? '' : nested(0, shape));
  };

  const op = (name: string, inputs: readonly Value[], spec: Spec, more = ''): Value =>
    emit(
      spec,
      `${name} ${inputs.map(({ id }) => id).join(', ')}${more} : (${inputs.map(tensorType).join(', ')}) -> ${tensorType(spec)}`,
    );
  const unary = (name: string, a: Value, dtype = a.dtype): Value => {
    const spec = { shape: a.shape, dtype };
    if (name.startsWith('chlo.')) return emit(spec, `${name} ${a.id} : ${tensorType(a)} -> ${tensorType(spec)}`);
    return op(`stablehlo.${name}`, [a], spec);
  };
  const convert = (a: Value, dtype: number): Value => (a.dtype === dtype ? a : unary('convert', a, dtype));
  const reshape = (a: Value, shape: readonly number[]): Value =>
    String(shape) === String(a.shape) ? a : op('stablehlo.reshape', [a], { shape, dtype: a.dtype });
  /** Copies `a` along the axes of `shape` that `dims` does not name. */
  const along = (a: Value, shape: readonly number[], dims: readonly number[]): Value =>
    op('stablehlo.broadcast_in_dim', [a], { shape, dtype: a.dtype }, `, dims = [${dims}]`);
  const broadcast = (a: Value, shape: readonly number[]): Value => {
    if (String(a.shape) === String(shape)) return a;
    const offset = shape.length - a.shape.length;
    return along(
      a,
      shape,
      a.shape.map((_, i) => i + offset),
    );
  };
  const together = (a: Value, b: Value): [Value, Value] => {
    const shape = broadcastShape(a.shape, b.shape);
    return [broadcast(a, shape), broadcast(b, shape)];
  };
  const binary = (name: string, a: Value, b: Value): Value => {
    const [x, y] = together(a, b);
    return op(`stablehlo.${name}`, [x, y], { shape: x.shape, dtype: x.dtype });
  };
  const compare = (direction: 'EQ' | 'NE' | 'LT' | 'LE' | 'GT' | 'GE', a: Value, b: Value): Value => {
    const [x, y] = together(a, b);
    const spec = { shape: x.shape, dtype: DT.bool };
    return emit(
      spec,
      `stablehlo.compare ${direction}, ${x.id}, ${y.id} : (${tensorType(x)}, ${tensorType(y)}) -> ${tensorType(spec)}`,
    );
  };
  const select = (condition: Value, a: Value, b: Value): Value =>
    emit(
      { shape: a.shape, dtype: a.dtype },
      `stablehlo.select ${condition.id}, ${a.id}, ${b.id} : ${tensorType(condition)}, ${tensorType(a)}`,
    );
  const iota = (shape: readonly number[], axis: number, dtype: number = DT.int32): Value =>
    emit({ shape, dtype }, `stablehlo.iota dim = ${axis} : ${tensorType({ shape, dtype })}`);

  /** The region of an op that combines two numbers. */
  const region = (reduction: Reduction, dtype: number): string => {
    const type = tensorType({ shape: [], dtype });
    return `{\n    ^bb0(%a: ${type}, %b: ${type}):\n      %r = stablehlo.${reduction} %a, %b : ${type}\n      stablehlo.return %r : ${type}\n    }`;
  };
  const reduce = (reduction: Reduction, a: Value, axes: readonly number[], keep = false): Value => {
    const from = splat(start(reduction, a.dtype), [], a.dtype);
    const spec = { shape: a.shape.filter((_, i) => !axes.includes(i)), dtype: a.dtype };
    const reduced = emit(
      spec,
      `stablehlo.reduce(${a.id} init: ${from.id}) applies stablehlo.${reduction} across dimensions = [${axes}] : (${tensorType(a)}, ${tensorType(from)}) -> ${tensorType(spec)}`,
    );
    return keep
      ? reshape(
          reduced,
          a.shape.map((n, i) => (axes.includes(i) ? 1 : n)),
        )
      : reduced;
  };
  const pad = (
    a: Value,
    value: Value,
    low: readonly number[],
    high: readonly number[],
    interior = a.shape.map(() => 0),
  ): Value => {
    const shape = a.shape.map((n, i) => n + low[i]! + high[i]! + Math.max(0, n - 1) * interior[i]!);
    return op(
      'stablehlo.pad',
      [a, value],
      { shape, dtype: a.dtype },
      `, low = [${low}], high = [${high}], interior = [${interior}]`,
    );
  };
  const slice = (a: Value, from: readonly number[], to: readonly number[], strides = a.shape.map(() => 1)): Value => {
    const shape = from.map((first, i) => Math.ceil((to[i]! - first) / strides[i]!));
    const ranges = from.map((first, i) => `${first}:${to[i]}${strides[i] === 1 ? '' : `:${strides[i]}`}`);
    return op('stablehlo.slice', [a], { shape, dtype: a.dtype }, ` [${ranges.join(', ')}]`);
  };
  const transpose = (a: Value, dims: readonly number[]): Value =>
    op('stablehlo.transpose', [a], { shape: dims.map((d) => a.shape[d]!), dtype: a.dtype }, `, dims = [${dims}]`);
  const concatenate = (values: readonly Value[], axis: number): Value => {
    const first = values[0]!;
    const length = values.reduce((sum, { shape }) => sum + shape[axis]!, 0);
    const shape = first.shape.map((n, i) => (i === axis ? length : n));
    return op('stablehlo.concatenate', values, { shape, dtype: first.dtype }, `, dim = ${axis}`);
  };
  /** Reduces the windows of `a`; padding is that of each axis, before and after. */
  const window = (
    reduction: Reduction,
    a: Value,
    sizes: readonly number[],
    strides: readonly number[],
    padding: readonly (readonly [number, number])[],
  ): Value => {
    const from = splat(start(reduction, a.dtype), [], a.dtype);
    const shape = a.shape.map(
      (n, i) => Math.floor((n + padding[i]![0] + padding[i]![1] - sizes[i]!) / strides[i]!) + 1,
    );
    const spec = { shape, dtype: a.dtype };
    return emit(
      spec,
      `"stablehlo.reduce_window"(${a.id}, ${from.id}) (${region(reduction, a.dtype)}) {window_dimensions = ${i64List(sizes)}, window_strides = ${i64List(strides)}, padding = ${paddingText(padding)}} : (${tensorType(a)}, ${tensorType(from)}) -> ${tensorType(spec)}`,
    );
  };

  return {
    emit,
    multi,
    constant,
    splat,
    like,
    list,
    op,
    unary,
    convert,
    reshape,
    along,
    broadcast,
    binary,
    compare,
    select,
    iota,
    region,
    reduce,
    pad,
    slice,
    transpose,
    concatenate,
    window,
    /** Which node of the recording what follows is for. */
    begin(node: number): void {
      origin = node;
    },
    /** The lines of the function's body. */
    lines: lines as readonly string[],
    /** Which node each line is for. */
    origins: origins as readonly number[],
  };
}
