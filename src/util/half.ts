/** Largest finite number of half precision. */
export const LARGEST_HALF = 65504;

/** IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Writes numbers in half precision, to the nearest, of two the even one; what is too large becomes infinite.
 *
 * @param into - takes the bits, from `at` on
 */
export function encodeHalves(values: Float32Array, into: Uint16Array, at = 0): void {
  const bitsOf = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bitsOf.length; i++) into[at + i] = roundBits(bitsOf[i]!, values[i]!);
}

function roundBits(bits: number, value: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size >= 0x38800000 && size < 0x477ff000) return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
  // Below 2^-14 halves lie 2^-24 apart.
  if (size < 0x38800000) return sign | roundEven(Math.abs(value) * 2 ** 24);
  return sign | (size > 0x7f800000 ? 0x7e00 : 0x7c00);
}

function roundEven(value: number): number {
  const whole = Math.floor(value);
  const rest = value - whole;
  return whole + (rest > 0.5 || (rest === 0.5 && whole % 2 === 1) ? 1 : 0);
}
