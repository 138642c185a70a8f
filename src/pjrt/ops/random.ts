import { DT } from '../../graph/index.ts';
import { sizeOf } from '../../util/shape.ts';
import type { Builder, Value } from '../builder.ts';
import type { Lowerings } from '../op-call.ts';
import { UINT32, UINT64 } from '../types.ts';

/** Philox 4x32-10 (Salmon et al. 2011): four words of a counter, two of a key. */
function philox(b: Builder, counter: readonly Value[], key: readonly Value[]): Value[] {
  const product = (value: Value, factor: number): [high: Value, low: Value] => {
    const wide = b.binary('multiply', b.convert(value, UINT64), b.splat(factor, value.shape, UINT64));
    const high = b.binary('shift_right_logical', wide, b.like(32, wide));
    return [b.convert(high, UINT32), b.convert(wide, UINT32)];
  };
  const xor = (x: Value, y: Value, z: Value): Value => b.binary('xor', b.binary('xor', x, y), z);
  let [words, keys] = [counter, key];
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = product(words[0]!, 0xd2511f53);
    const [high1, low1] = product(words[2]!, 0xcd9e8d57);
    words = [xor(high1, words[1]!, keys[0]!), low1, xor(high0, words[3]!, keys[1]!), low0];
    keys = [0x9e3779b9, 0xbb67ae85].map((weyl, i) => b.binary('add', keys[i]!, b.like(weyl, keys[i]!)));
  }
  return [...words];
}

/** The same bits as numbers of another type. */
const bitsAs = (b: Builder, x: Value, dtype: number): Value => b.unary('bitcast_convert', x, dtype);

/** Two whole numbers as the words that TensorFlow makes of them: each as 64 bits, the low half first. */
function seedWords(b: Builder, seed: Value): Value[] {
  const words = bitsAs(b, seed, UINT32);
  const signs = b.binary('shift_right_arithmetic', seed, b.like(31, seed));
  const high = bitsAs(b, signs, UINT32);
  return [0, 1].flatMap((i) => [words, high].map((half) => b.reshape(b.slice(half, [i], [i + 1]), [])));
}

/** Random numbers that are a function of the seed: TensorFlow's, to the bit. */
export const random: Lowerings = {
  StatelessRandomUniform: ({ b, inputs, outputs: [out], refuse }) => {
    const seed = inputs[1]!;
    if (seed.dtype !== DT.int32 || out!.dtype !== DT.float32)
      refuse('its seed is not int32, or its numbers not float32');
    const key = [b.splat(0x3ec8f720, [], UINT32), b.splat(0x02461e29, [], UINT32)];
    const mixed = philox(b, seedWords(b, seed), key);
    const size = sizeOf(out!.shape);
    const rows = [Math.ceil(size / 4)];
    const counter = [
      b.iota(rows, 0, UINT32),
      b.splat(0, rows, UINT32),
      ...[2, 3].map((i) => b.broadcast(mixed[i]!, rows)),
    ];
    const drawn = philox(
      b,
      counter,
      [0, 1].map((i) => b.broadcast(mixed[i]!, rows)),
    );
    const columns = b.concatenate(
      drawn.map((word) => b.reshape(word, [...rows, 1])),
      1,
    );
    const words = b.slice(b.reshape(columns, [4 * rows[0]!]), [0], [size]);
    // 23 bits behind the exponent of 1: in [1, 2).
    const bits = b.binary('or', b.binary('and', words, b.like(0x7fffff, words)), b.like(0x3f800000, words));
    const numbers = bitsAs(b, bits, DT.float32);
    return [b.reshape(b.binary('subtract', numbers, b.like(1, numbers)), out!.shape)];
  },
};
