/** Bins of confidence, of equal width, closed above (Guo et al. 2017). */
export const BINS = 15;

/** The bin of a probability. One that is too small for a double is in the lowest bin too. */
export const binOf = (probability: number): number => (probability <= 1 / BINS ? 0 : Math.ceil(probability * BINS) - 1);
