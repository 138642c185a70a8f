import { z } from 'zod';
import { type Random, randomStream } from '../../random.ts';
import { type Dataset, defineDataset, splitInMemory } from '../dataset.ts';
import type { DatasetInfo, Split } from '../types.ts';

/** Half the side of the square that coordinates come from; also makes the normalised pixels the coordinates themselves. */
const REACH = 2.5;

/** A point of class 0 or 1 before noise, in the plane. */
type Curve = (label: number, random: Random) => readonly [x: number, y: number];

const options = (noise: number) =>
  z.strictObject({
    samples: z.int().positive().default(500).describe('Points of each class in train before the profile, and in test.'),
    noise: z.number().min(0).default(noise).describe('Standard deviation of the normal noise on both coordinates.'),
    seed: z.int().min(0).default(0).describe('Seed of the points; separate from the seed of the run.'),
  });

/**
 * The two-class sets in the plane of Chou et al. 2020, Figure 4, which have ratio 10 there. A point is an image
 * `[1, 1, 2]`: x and y between −2.5 and 2.5 in steps of 5/255, so that a grid of 256 × 256 images is the whole plane,
 * and a trainer that knows images alone can train on them. After normalisation a pixel is the coordinate.
 */
function toy(name: string, noise: number, curve: Curve): Dataset {
  const info = (samples: number): DatasetInfo => ({
    name,
    classes: ['0', '1'],
    shape: [1, 1, 2],
    mean: [0.5, 0.5],
    std: [0.5 / REACH, 0.5 / REACH],
    fullCounts: [samples, samples],
    testCount: 2 * samples,
  });
  return defineDataset({
    name,
    options: options(noise),
    profile: 'exp',
    describe: ({ options: { samples } }) => info(samples),
    async read({ options: { samples, ...drawn } }) {
      const draw = (split: 'train' | 'test'): Split => {
        const labels = Int32Array.from({ length: 2 * samples }, (_, row) => Number(row >= samples));
        const pixels = new Uint8Array(2 * labels.length);
        for (const label of [0, 1]) {
          const random = randomStream(drawn.seed, 'toy', name, split, label);
          for (let row = label * samples; row < (label + 1) * samples; row++) {
            const at = curve(label, random);
            for (const c of [0, 1] as const) pixels[2 * row + c] = pixelOf(at[c] + drawn.noise * random.normal());
          }
        }
        return splitInMemory(split, labels, pixels);
      };
      return { info: info(samples), train: draw('train'), test: draw('test') };
    },
  });
}

/** The nearest of 256 steps; what lies outside the square is put on its edge. */
const pixelOf = (coordinate: number): number =>
  Math.min(255, Math.max(0, Math.round((255 * (coordinate + REACH)) / (2 * REACH))));

/** Two normal clouds around (−1, 0) and (1, 0). */
export const blobs = toy('blobs', 0.6, (label) => [2 * label - 1, 0]);

/** Two half circles of radius 1 that reach into each other, as scikit-learn's `make_moons`, centred. */
export const moons = toy('moons', 0.15, (label, random) => {
  const angle = Math.PI * random.uniform();
  return label === 0
    ? [Math.cos(angle) - 0.5, Math.sin(angle) - 0.25]
    : [0.5 - Math.cos(angle), 0.25 - Math.sin(angle)];
});

/** A circle of radius 1 around one of radius 0.5, as scikit-learn's `make_circles`. */
export const circles = toy('circles', 0.15, (label, random) => {
  const angle = 2 * Math.PI * random.uniform();
  const radius = label === 0 ? 1 : 0.5;
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
});
