import { encodeHalves, halfToNumber, LARGEST_HALF } from '../util/half.ts';

/** Logits of an evaluation as they are kept, in half precision. */
export interface KeptLogits {
  /**
   * `[N × C]`, bits of half precision: each logit less the highest of its image. The highest is therefore 0 in each row, and
   * the prediction stays what it was; what lies more than 65,504 below it is taken to lie that far.
   */
  below: Uint16Array;
  /** `[N]`, the highest logit of each image. */
  highest: Float32Array;
  /** `[N]`, true classes. */
  labels: Int32Array;
  /** `[N]`, rows of the split. */
  indices: Int32Array;
}

/** Logits to be read image by image. */
export interface LogitTable {
  /** N */
  count: number;
  /** `[N]`, true classes. */
  labels: Int32Array;
  /** `[C]`, logits of an image less the highest of them, which is 0; valid until the next call. */
  below(image: number): Float32Array;
}

/** Collects the logits of an evaluation in half precision. */
export function createLogitKeeper(images: number, classes: number) {
  const kept: KeptLogits = {
    below: new Uint16Array(images * classes),
    highest: new Float32Array(images),
    labels: new Int32Array(images),
    indices: new Int32Array(images),
  };
  const below = new Float32Array(classes);
  let count = 0;
  return {
    /**
     * @param logits - `[n, C]`, row-major, finite
     * @param labels - `[n]`
     * @param indices - `[n]`
     */
    add(logits: Float32Array, labels: Int32Array, indices: Int32Array): void {
      kept.labels.set(labels, count);
      kept.indices.set(indices, count);
      for (let i = 0; i < labels.length; i++, count++) {
        const row = logits.subarray(i * classes, (i + 1) * classes);
        let highest = row[0]!;
        for (let c = 1; c < classes; c++) if (row[c]! > highest) highest = row[c]!;
        kept.highest[count] = highest;
        for (let c = 0; c < classes; c++) below[c] = Math.max(row[c]! - highest, -LARGEST_HALF);
        encodeHalves(below, kept.below, count * classes);
      }
    },
    result: (): KeptLogits => kept,
  };
}

/** By the bits of a half; made when it is first needed. */
let numbers: Float32Array | undefined;

/** Kept logits, to be read. */
export function keptTable({ below, labels }: KeptLogits): LogitTable {
  const count = labels.length;
  const classes = below.length / count;
  numbers ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => halfToNumber(bits));
  const table = numbers;
  const row = new Float32Array(classes);
  return {
    count,
    labels,
    below(image) {
      const at = image * classes;
      for (let c = 0; c < classes; c++) row[c] = table[below[at + c]!]!;
      return row;
    },
  };
}
