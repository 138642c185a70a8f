/** What is known of the photos that a config is made for. */
export interface Photos {
  /** Images to train on per class, `[C]`. */
  counts: readonly number[];
  /** Images for validation. */
  validation: number;
  /** Side of a square that suits their sizes, in pixels. */
  side: number;
}

/** A remedy for the long tail, and why it fits. */
export interface Remedy {
  plugins: readonly ('balanced-softmax' | 'mixup')[];
  reason: string;
}

/** What a config begins with. */
export interface Recipe {
  model: string;
  imageSize: number;
  epochs: number;
  batchSize: number;
  remedy: Remedy;
  /** Epochs without an improvement after which the run ends; null where validation is too small to say. */
  patience: number | null;
}

/** Largest side for a network that starts from nothing: at 224 pixels it takes twelve times as long, and gains little. */
const FROM_SCRATCH = 64;
/** Validation images from which early stopping judges by more than chance. */
const JUDGES = 100;

/**
 * The recipe for photos: docs/which.md states its rules. Networks start from nothing; weights of a pretrained one would be
 * another model, a larger side and fewer epochs here.
 */
export function recipeFor({ counts, validation, side }: Photos): Recipe {
  const total = counts.reduce((sum, n) => sum + n, 0);
  const epochs = total < 1000 ? 100 : total < 10_000 ? 60 : 30;
  return {
    model: 'resnet32',
    imageSize: Math.min(side, FROM_SCRATCH),
    epochs,
    batchSize: total < 500 ? 16 : total < 2000 ? 32 : 64,
    remedy: remedyFor(counts),
    patience: validation >= JUDGES ? Math.ceil(epochs / 4) : null,
  };
}

/** Ratios below this need no remedy. */
const BALANCED = 3;
/** Classes with fewer images are few-shot. */
const FEW = 20;

/** The remedy for class counts: by the ratio of the largest to the smallest, and by the smallest. */
export function remedyFor(counts: readonly number[]): Remedy {
  const [largest, smallest] = [Math.max(...counts), Math.min(...counts)];
  const ratio = largest / smallest;
  const written = ratio < 10 ? ratio.toFixed(1) : String(Math.round(ratio));
  if (ratio < BALANCED)
    return {
      plugins: [],
      reason: `the largest class has ${written} times as many images as the smallest: no remedy is needed`,
    };
  if (smallest >= FEW)
    return {
      plugins: ['balanced-softmax'],
      reason: `ratio ${written}, and every class has at least ${FEW} images: the loss corrects for the class counts`,
    };
  return {
    plugins: ['balanced-softmax', 'mixup'],
    reason: `ratio ${written}, and the smallest class has ${smallest} ${smallest === 1 ? 'image' : 'images'}: the loss corrects for the class counts, and mixing keeps the network from learning the few by heart`,
  };
}
