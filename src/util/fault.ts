import { tf } from '../tf.ts';
import { nearest } from './names.ts';
import { sizeOf } from './shape.ts';

/** What a value should have been, and what it is: a part of an error message. */
export interface Fault {
  /** Which part of the value, as `statistics["norm/mean"]`; empty for all of it. */
  part?: string;
  expected: string;
  got: string;
  /** What to do, as a sentence. */
  cure?: string;
}

/** `[16, 4]`. */
export const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

const tensorText = (dtype: string, shape: readonly number[]): string =>
  shape.length === 0 ? `a ${dtype} scalar` : `${dtype} ${shapeText(shape)}`;

/** Whether a value is a Promise, or is waited for like one. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function';

/** A value in a few words: `float32 [16, 4]`, `a Float32Array of 16`, `a Promise`, `"text"`. */
export function describeValue(value: unknown): string {
  if (value instanceof tf.Tensor) {
    return value.isDisposed ? 'a tensor that was disposed' : tensorText(value.dtype, value.shape);
  }
  if (ArrayBuffer.isView(value)) return `${named(value.constructor.name)} of ${(value as Uint8Array).length}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'function') return 'a function';
  if (isThenable(value)) return 'a Promise';
  if (typeof value === 'object' && value !== null) {
    const keys = Object.keys(value);
    return keys.length === 0 ? 'an empty object' : `an object with ${keys.slice(0, 5).join(', ')}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

/** With its article: `an Int32Array`, `a Uint8Array`. */
const named = (type: string): string => `${/^[AI]/.test(type) ? 'an' : 'a'} ${type}`;

/** The value as an object whose fields can be read, or null. */
export const fieldsOf = (value: unknown): Record<string, unknown> | null =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;

/**
 * What is wrong with a value that should be a float32 tensor.
 *
 * @param names - names of the dimensions, as `batch, C`; null for a tensor that had that shape before
 */
export function tensorFault(
  value: unknown,
  names: string | null,
  shape: readonly number[],
  more: Pick<Fault, 'part' | 'cure'> = {},
): Fault | null {
  if (value instanceof tf.Tensor && !value.isDisposed && value.dtype === 'float32' && sameShape(value.shape, shape)) {
    return null;
  }
  const expected = names === null ? `${tensorText('float32', shape)}, as before` : dueText(names, shape);
  return { ...more, expected, got: describeValue(value) };
}

const dueText = (names: string, shape: readonly number[]): string =>
  shape.length === 0 ? 'a float32 scalar' : `float32 [${names}] = ${shapeText(shape)}`;

/** Whether two shapes are the same. */
export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((length, axis) => length === b[axis]);

/** What is wrong with tensors by name that should be some of `known`, each of the same shape. */
export function namedFault(value: unknown, part: string, known: Readonly<Record<string, tf.Tensor>>): Fault | null {
  const tensors = fieldsOf(value);
  if (tensors === null || isThenable(value)) return { part, expected: 'tensors by name', got: describeValue(value) };
  for (const [name, tensor] of Object.entries(tensors)) {
    const own = `${part}[${JSON.stringify(name)}]`;
    const wanted = Object.hasOwn(known, name) ? known[name] : undefined;
    if (wanted === undefined) {
      return { part: own, expected: `a known name, ${nearest(name, Object.keys(known))}`, got: 'a new one' };
    }
    const fault = tensorFault(tensor, null, wanted.shape, { part: own });
    if (fault !== null) return fault;
  }
  return null;
}

/**
 * What is wrong with numbers that should be a typed array of a length.
 *
 * @param isRight - whether a number may be there; `range` says it in words, as `in 0…1`
 */
export function numbersFault(value: unknown, { part = '', type, length, range, isRight }: NumbersRule): Fault | null {
  const field = part === '' ? {} : { part };
  if (!(value instanceof type) || value.length !== length) {
    return { ...field, expected: `${named(type.name)} of ${length}, each ${range}`, got: describeValue(value) };
  }
  for (let i = 0; i < length; i++) {
    if (!isRight(value[i]!)) return { part: `${part}[${i}]`, expected: `a number ${range}`, got: String(value[i]) };
  }
  return null;
}

/** What {@link numbersFault} asks for. */
export interface NumbersRule {
  part?: string;
  type: typeof Float32Array | typeof Float64Array | typeof Int32Array | typeof Uint8Array;
  length: number;
  range: string;
  isRight(number: number): boolean;
}

/** What is wrong with initial values of a weight or a slot. */
export const initialFault = (values: unknown, shape: readonly number[]): Fault | null =>
  numbersFault(values, {
    type: Float32Array,
    length: sizeOf(shape),
    range: 'of finite size',
    isRight: Number.isFinite,
  });

/** Whether a value is a shape, every length a number. */
export const isShape = (shape: unknown): shape is readonly number[] =>
  Array.isArray(shape) && shape.every((length) => Number.isInteger(length) && length >= 0);
