/** Rows of features with their classes. */
export interface FeatureRows {
  /** `[rows × D]`. */
  features: Float32Array;
  /** `[rows]`. */
  labels: ArrayLike<number>;
}

/** Sums of the features of each class, in double precision. */
export interface ClassMeans {
  add(rows: FeatureRows): void;
  /** `[C × D]`: the mean of each class scaled to length 1; NaN for a class without rows, zeros where the mean is zero. */
  directions(): Float64Array;
}

/**
 * Collects the mean of each class's features.
 *
 * @param classes - C
 * @param size - D
 */
export function createClassMeans(classes: number, size: number): ClassMeans {
  const sums = new Float64Array(classes * size);
  const counts = new Float64Array(classes);
  return {
    add({ features, labels }) {
      for (let row = 0; row < labels.length; row++) {
        const label = labels[row]!;
        counts[label]!++;
        for (let i = 0; i < size; i++) sums[label * size + i]! += features[row * size + i]!;
      }
    },
    directions() {
      const result = new Float64Array(classes * size);
      for (let c = 0; c < classes; c++) {
        const sum = sums.subarray(c * size, (c + 1) * size);
        const length = Math.sqrt(sum.reduce((square, x) => square + x * x, 0)) || 1;
        for (let i = 0; i < size; i++) result[c * size + i] = counts[c] === 0 ? Number.NaN : sum[i]! / length;
      }
      return result;
    },
  };
}
