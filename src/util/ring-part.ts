/** A ring's parts are a multiple of this many floats. */
const ALIGNED = 16;

/**
 * Floats of each part but the last that a ring all-reduce cuts a bucket into, one a rank: ⌈length / R⌉ rounded up to the next multiple of
 * 16, never itself (TensorFlow 2.21, `CollectiveAdapter`).
 */
export const ringPart = (length: number, ranks: number): number =>
  (Math.floor(Math.ceil(length / ranks) / ALIGNED) + 1) * ALIGNED;
