import type { Adaptation, ExtraRows } from 'tailmix';
import { aggregate, BATCH, EPOCHS, type ExpertLogits, LEAST, mixedBy, type Round, stability } from './aggregation.ts';
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
    async fit(viewsOf, images, random) {
      if (images < BATCH) throw imagesFew(BATCH, images);
      let last: Round | undefined;
      async function* rounds(): AsyncGenerator<Round> {
        for (let round = 1; round <= EPOCHS; round++) {
          const [first, second] = await viewsOf(round);
          last = { views: [expertsOf(first), expertsOf(second)], order: random.permutation(images) };
          yield last;
        }
      }
      const { shares, epochs } = await aggregate(rounds(), count, classes);
      const { views, order } = last!;
      const alike = new Float64Array(count).fill(1 / count);
      const named = Object.fromEntries([...shares].map((share, k) => [`share-${k + 1}`, share]));
      const [before, after] = [alike, shares].map((by) => stability(views, by, order, classes).value) as [
        number,
        number,
      ];
      return {
        figures: { ...named, stability: after, 'stability-before': before },
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
