import { visionTransformers } from '../../models/vit-forms.ts';

/** What is known of the photos that a config is made for. */
export interface Photos {
  /** Images to train on per class, `[C]`. */
  counts: readonly number[];
  /** Images for validation. */
  validation: number;
  /** Side of a square that suits their sizes, in pixels. */
  side: number;
  /** Network whose published weights are there. */
  pretrained?: string;
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
/** Sides that a pretrained network is given: it was trained at the larger, and smaller images are enlarged to the lower. */
const PRETRAINED = [128, 224] as const;
/** Validation images from which early stopping judges by more than chance. */
const JUDGES = 100;

/** The recipe for photos: docs/which.md states its rules. */
export function recipeFor({ counts, validation, side, pretrained }: Photos): Recipe {
  const total = counts.reduce((sum, n) => sum + n, 0);
  const size = total < 1000 ? 0 : total < 10_000 ? 1 : 2;
  const isNew = pretrained === undefined;
  const epochs = (isNew ? [100, 60, 30] : [20, 10, 5])[size]!;
  const batchSize = total < 500 ? 16 : total < 2000 ? 32 : 64;
  return {
    model: pretrained ?? 'resnet32',
    imageSize: isNew ? Math.min(side, FROM_SCRATCH) : sideFor(pretrained, side),
    epochs,
    // The activations of a large image are what memory is needed for.
    batchSize: isNew ? batchSize : Math.min(batchSize, 32),
    remedy: remedyFor(counts, !isNew),
    patience: validation >= JUDGES ? Math.ceil(epochs / 4) : null,
  };
}

/** Vision Transformers are left as they are, and only a classifier is trained: fine-tuned, they lose what rare classes need. */
export const isTransformer = (model: string): boolean => Object.hasOwn(visionTransformers, model);

/** A transformer cuts images into patches, as many as it was trained with. */
const sideFor = (model: string, side: number): number =>
  isTransformer(model) ? PRETRAINED[1] : Math.min(Math.max(side, PRETRAINED[0]), PRETRAINED[1]);

/** Ratios below this need no remedy. */
const BALANCED = 3;
/** Classes with fewer images are few-shot. */
const FEW = 20;

/**
 * The remedy for class counts: by the ratio of the largest to the smallest, and by the smallest. A pretrained network is trained
 * for too few epochs to learn a handful of images by heart.
 */
export function remedyFor(counts: readonly number[], isPretrained = false): Remedy {
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
  if (isPretrained)
    return {
      plugins: ['balanced-softmax'],
      reason: `ratio ${written}, and few epochs from published weights: the loss corrects for the class counts`,
    };
  return {
    plugins: ['balanced-softmax', 'mixup'],
    reason: `ratio ${written}, and the smallest class has ${smallest} ${smallest === 1 ? 'image' : 'images'}: the loss corrects for the class counts, and mixing keeps the network from learning the few by heart`,
  };
}
