import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

/** A named stream of random numbers. Equal keys give equal streams, whatever else the run draws. */
export interface Random {
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number;
  /** Uniform integer in 0…n−1. */
  integer(n: number): number;
  /** Standard normal. */
  normal(): number;
  /** Beta(a, b), a and b > 0. */
  beta(a: number, b: number): number;
  /** Uniform permutation of 0…n−1, `[n]` int32. */
  permutation(n: number): Int32Array;
}

/** What names a stream, for example `(seed, 'mixup', epoch, step)`. */
export type StreamKey = readonly (string | number)[];

/**
 * Opens the stream of a key. Streams are independent: adding a plugin shifts nobody else's draws, and a resumed run
 * draws what it would have drawn, because no state outlives a step.
 */
export function randomStream(...key: StreamKey): Random {
  const generator = xoroshiro128plusFromState(hashKey(key));
  const uniform = (): number => uniformFloat64(generator);
  const integer = (n: number): number => uniformInt(generator, 0, n - 1);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return {
    uniform,
    integer,
    normal,
    beta(a, b) {
      const x = logGamma(a, uniform, normal);
      const y = logGamma(b, uniform, normal);
      const top = Math.max(x, y);
      if (top === Number.NEGATIVE_INFINITY) return uniform() < a / (a + b) ? 1 : 0;
      return Math.exp(x - top) / (Math.exp(x - top) + Math.exp(y - top));
    },
    permutation(n) {
      const order = Int32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = integer(i + 1);
        const last = order[i]!;
        order[i] = order[j]!;
        order[j] = last;
      }
      return order;
    },
  };
}

/**
 * Random numbers by place, for inner loops that cannot open a stream per row (a draw takes nanoseconds): number `draw`
 * of row `row` is a function of (key, row, draw) alone, uniform in [0, 1) with 32 bits.
 */
export function randomField(...key: StreamKey): (row: number, draw: number) => number {
  const [a, b, c] = hashKey(key);
  return (row, draw) => (mix32(mix32(row + a) ^ (b + Math.imul(draw, 0x9e3779b9))) ^ c) / 0x1_0000_0000 + 0.5;
}

/** A bijection of int32 in which each bit of the input flips half of the output's (constants: lowbias32, C. Wellons). */
function mix32(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return h ^ (h >>> 16);
}

/**
 * Logarithm of a Gamma(shape, 1) draw (Marsaglia and Tsang 2000; for shape < 1 the boost `U^(1/shape)`).
 * In logarithms because Gamma(0.01) underflows often enough to make 0/0 of a Beta.
 */
function logGamma(shape: number, uniform: () => number, normal: () => number): number {
  if (shape < 1) return logGamma(shape + 1, uniform, normal) + Math.log(1 - uniform()) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}

/** 128 bits of a key: four lanes of FNV-1a over its UTF-16 units, mixed by MurmurHash3's finaliser. */
function hashKey(key: StreamKey): [number, number, number, number] {
  const text = key.join('\u0000');
  const lanes: [number, number, number, number] = [0x811c9dc5, 0x9e3779b9, 0x85ebca6b, 0xc2b2ae35];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    for (let lane = 0; lane < 4; lane++) lanes[lane] = Math.imul(lanes[lane]! ^ (unit + lane), 0x01000193);
  }
  let carry = 0;
  for (let round = 0; round < 8; round++) {
    const lane = round % 4;
    let h = lanes[lane]! ^ carry;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    carry = lanes[lane] = (h ^ (h >>> 16)) | 0;
  }
  return lanes;
}
