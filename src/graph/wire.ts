/**
 * Protocol Buffers' wire format, writing only: enough for a `saved_model.pb`.
 *
 * A message is a string with one character per byte: strings nest without copying. (The library that tfjs-node brings
 * needs 0.4 s to load and to write a ResNet-32.)
 */
export type Wire = string;

const VARINT = 0;
const LENGTH = 2;
const FIXED32 = 5;

/** Base-128 digits, low first; negative numbers as 64-bit two's complement. */
function varint(value: number): Wire {
  if (value >= 0 && value < 128) return String.fromCharCode(value);
  const bits = BigInt.asUintN(64, BigInt(value));
  return bits < 128n ? String.fromCharCode(Number(bits)) : longVarint(bits);
}

const longVarint = (bits: bigint): Wire =>
  bits < 128n
    ? String.fromCharCode(Number(bits))
    : String.fromCharCode(Number(bits & 127n) | 128) + longVarint(bits >> 7n);

const tag = (field: number, type: number): Wire => varint(field * 8 + type);
const latin1 = (array: Uint8Array): Wire =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('latin1');

/** An integer, an enum or a boolean. */
export const int = (field: number, value: number | boolean): Wire => tag(field, VARINT) + varint(Number(value));

/** A float. */
export const float = (field: number, value: number): Wire =>
  tag(field, FIXED32) + latin1(new Uint8Array(Float32Array.of(value).buffer));

/** A message, given by its fields. */
export function message(field: number, ...fields: readonly Wire[]): Wire {
  const content = fields.join('');
  return tag(field, LENGTH) + varint(content.length) + content;
}

/** Bytes. */
export const bytes = (field: number, value: Uint8Array): Wire => message(field, latin1(value));

/** A string, in UTF-8. */
export const text = (field: number, value: string): Wire =>
  message(field, isAscii(value) ? value : Buffer.from(value, 'utf8').toString('latin1'));

const isAscii = (value: string): boolean => /^[ -~]*$/.test(value);

/** A packed list of integers, enums or booleans. */
export const ints = (field: number, values: readonly (number | boolean)[]): Wire =>
  message(field, ...values.map((value) => varint(Number(value))));

/** A packed list of floats. */
export const floats = (field: number, values: readonly number[]): Wire =>
  bytes(field, new Uint8Array(Float32Array.from(values).buffer));

/** An entry of a map with string keys; the value is a message. */
export const entry = (field: number, key: string, ...value: readonly Wire[]): Wire =>
  message(field, text(1, key), message(2, ...value));

/** The finished message. */
export const toBytes = (wire: Wire): Uint8Array => Buffer.from(wire, 'latin1');
