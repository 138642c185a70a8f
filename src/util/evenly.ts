/** `count` of `length` positions, the first among them, spread evenly. */
export const evenly = (length: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.floor((i * length) / count));
