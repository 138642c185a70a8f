/** Number of elements of a tensor of this shape; 1 for a scalar, `[]`. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** Number of elements of several tensors together. */
export const numbersIn = (tensors: readonly { shape: readonly number[] }[]): number =>
  tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
