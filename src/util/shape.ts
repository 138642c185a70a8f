/** Number of elements of a tensor of this shape; 1 for a scalar, `[]`. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);
