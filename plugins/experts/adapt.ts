import type { Adaptation, ExtraRows, Random } from 'tailmix';
import { aggregate, BATCH, EPOCHS, type ExpertLogits, LEAST, mixedBy, stability } from './aggregation.ts';
import { imagesFew } from './errors.ts';
import { logitsOf } from './model.ts';

/** Below so many classes it was seen to fall onto one expert (issue 9 of the authors' code: 3 classes, accuracy 82 to 38). */
const FEW_CLASSES = 10;

/** Below so many batches of images, shares do not come to rest in so few epochs. */
const FEW_BATCHES = 10;

/** SADE's aggregation at test time. */
export function testTimeAggregation(count: number, classes: number): Adaptation {
  const names = Array.from({ length: count }, (_, i) => logitsOf(i + 1));
  const expertsOf = (extras: ExtraRows): ExpertLogits => names.map((name) => extras[name]!);
  return {
    extras: names,
    fit(given, images, random) {
      if (images < BATCH) throw imagesFew(BATCH, images);
      const views = [expertsOf(given[0]), expertsOf(given[1])] as const;
      const { shares, epochs } = aggregate(views, classes, ordersOf(images, random));
      const all = Int32Array.from({ length: images }, (_, i) => i);
      const alike = new Float64Array(count).fill(1 / count);
      const named = Object.fromEntries([...shares].map((share, k) => [`share-${k + 1}`, share]));
      const before = stability(views, alike, all, classes).value;
      return {
        figures: { ...named, stability: stability(views, shares, all, classes).value, 'stability-before': before },
        warnings: warningsOf({ shares, epochs, images, classes }),
        logits: (extras) => mixedBy(expertsOf(extras), shares),
      };
    },
  };
}

/** What is known to go wrong, where it may have. */
export function warningsOf({
  shares,
  epochs,
  images,
  classes,
}: {
  shares: Float64Array;
  epochs: number;
  images: number;
  classes: number;
}): string[] {
  const warnings: string[] = [];
  if (classes < FEW_CLASSES)
    warnings.push(
      `of ${classes} classes. With few, the most stable prediction is often that of one expert, right or wrong: compare it with the figures above it.`,
    );
  if (images < FEW_BATCHES * BATCH)
    warnings.push(
      `of ${images} images, in ${epochs} epochs of ${Math.ceil(images / BATCH)} steps: too few for shares to come to rest. They depend on which images these are.`,
    );
  for (const [k, share] of shares.entries())
    if (share < LEAST)
      warnings.push(
        `expert ${k + 1} was left a share of ${share.toFixed(3)}, which ended it after epoch ${epochs} of ${EPOCHS}. It may have fallen onto the others whatever the images are: compare it with the figures above it.`,
      );
  return warnings;
}

function* ordersOf(images: number, random: Random): Generator<Int32Array> {
  for (let epoch = 0; epoch < EPOCHS; epoch++) yield random.permutation(images);
}
