import { definePlugin, z } from 'tailmix';

const name = 'curriculum-augmentation';

const options = z.strictObject({
  levels: z.int().positive().default(10).describe('Highest level, L: a class at level l is augmented at strength l/L.'),
  accept: z
    .number()
    .min(0)
    .max(1)
    .default(0.6)
    .describe(
      'A class goes up a level where more than this share of its images was classified right in an epoch, else down.',
    ),
});

/**
 * The level of a class in the next epoch: one up where more than a share of its images was classified right, else one
 * down, within 0…L (Ahn et al. 2023, algorithm 1, by the epoch's own images). A class that was not seen keeps its level.
 */
export function nextLevel(
  level: number,
  { correct, seen }: { correct: number; seen: number },
  { levels, accept }: z.output<typeof options>,
): number {
  if (seen === 0) return level;
  return Math.min(levels, Math.max(0, level + (correct / seen > accept ? 1 : -1)));
}

/**
 * Curriculum of augmentation: each class is augmented as strongly as it is learnt, from not at all on.
 *
 * @example
 * ```ts
 * createTrainer({
 *   data: {
 *     name: 'cifar10',
 *     augment: [
 *       { name: 'pad-crop' },
 *       { name: 'flip' },
 *       { name: 'rand-augment', operations: 10, magnitude: 10, probability: 0.5 },
 *     ],
 *   },
 *   model: { name: 'resnet32' },
 *   plugins: [curriculumAugmentation()],
 * });
 * ```
 * @example
 * ```yaml
 * data:
 *   name: cifar10
 *   augment:
 *     - name: pad-crop
 *     - name: flip
 *     - { name: rand-augment, operations: 10, magnitude: 10, probability: 0.5 }
 * plugins:
 *   - use: curriculum-augmentation
 * ```
 * @see Ahn, Ko, Yun, CUDA: Curriculum of Data Augmentation for Long-Tailed Recognition, ICLR 2023,
 *   https://arxiv.org/abs/2302.05499, section 3
 */
export default definePlugin({
  name,
  options,
  apply({ hooks, info }, options) {
    let levels = info.classes.map(() => 0);
    let seen = info.classes.map(() => 0);
    let correct = info.classes.map(() => 0);
    hooks.computeAugmentation.tap(name, (strength) =>
      strength.map((given, c) => (given * levels[c]!) / options.levels),
    );
    hooks.onEpochBegin.tap(name, () => {
      seen = seen.map(() => 0);
      correct = correct.map(() => 0);
    });
    hooks.onBatchEnd.tap(name, ({ batch, targets, predictions }) => {
      for (const [i, label] of targets.labels.entries()) {
        // What is mixed is no image of its class.
        if (batch.lambda[i] !== 1) continue;
        seen[label]!++;
        if (predictions[i] === label) correct[label]!++;
      }
    });
    hooks.onEpochEnd.tap(name, () => {
      levels = levels.map((level, c) => nextLevel(level, { correct: correct[c]!, seen: seen[c]! }, options));
    });
    return {
      save: () => ({ levels }),
      load(saved) {
        ({ levels } = z.object({ levels: z.array(z.int()) }).parse(saved));
      },
    };
  },
});
