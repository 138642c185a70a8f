import type { Shape } from './augment.ts';
import { type Operation, type OperationName, openOperations } from './operations.ts';

/** Name, chance, and step of the strength, 0…9, of an operation that has one. */
type Step = readonly [name: OperationName, chance: number, magnitude?: number];

/** Sub-policies found on each data set, two operations each (Cubuk et al. 2019, appendix A). */
export const autoAugmentPolicies = {
  cifar10: [
    [
      ['invert', 0.1],
      ['contrast', 0.2, 6],
    ],
    [
      ['rotate', 0.7, 2],
      ['translate-x', 0.3, 9],
    ],
    [
      ['sharpness', 0.8, 1],
      ['sharpness', 0.9, 3],
    ],
    [
      ['shear-y', 0.5, 8],
      ['translate-y', 0.7, 9],
    ],
    [
      ['auto-contrast', 0.5],
      ['equalize', 0.9],
    ],
    [
      ['shear-y', 0.2, 7],
      ['posterize', 0.3, 7],
    ],
    [
      ['color', 0.4, 3],
      ['brightness', 0.6, 7],
    ],
    [
      ['sharpness', 0.3, 9],
      ['brightness', 0.7, 9],
    ],
    [
      ['equalize', 0.6],
      ['equalize', 0.5],
    ],
    [
      ['contrast', 0.6, 7],
      ['sharpness', 0.6, 5],
    ],
    [
      ['color', 0.7, 7],
      ['translate-x', 0.5, 8],
    ],
    [
      ['equalize', 0.3],
      ['auto-contrast', 0.4],
    ],
    [
      ['translate-y', 0.4, 3],
      ['sharpness', 0.2, 6],
    ],
    [
      ['brightness', 0.9, 6],
      ['color', 0.2, 8],
    ],
    [
      ['solarize', 0.5, 2],
      ['invert', 0],
    ],
    [
      ['equalize', 0.2],
      ['auto-contrast', 0.6],
    ],
    [
      ['equalize', 0.2],
      ['equalize', 0.6],
    ],
    [
      ['color', 0.9, 9],
      ['equalize', 0.6],
    ],
    [
      ['auto-contrast', 0.8],
      ['solarize', 0.2, 8],
    ],
    [
      ['brightness', 0.1, 3],
      ['color', 0.7, 0],
    ],
    [
      ['solarize', 0.4, 5],
      ['auto-contrast', 0.9],
    ],
    [
      ['translate-y', 0.9, 9],
      ['translate-y', 0.7, 9],
    ],
    [
      ['auto-contrast', 0.9],
      ['solarize', 0.8, 3],
    ],
    [
      ['equalize', 0.8],
      ['invert', 0.1],
    ],
    [
      ['translate-y', 0.7, 9],
      ['auto-contrast', 0.9],
    ],
  ],
} as const satisfies Record<string, readonly (readonly [Step, Step])[]>;

export const policyNames = ['cifar10'] as const;

/** Strength is cut into ten steps, from the first to the last. */
const LAST = 9;

/** The sub-policies for images of a shape: of each operation its chance, and what it does with a sign of 1 or −1. */
export const openPolicies = (
  policy: (typeof policyNames)[number],
  shape: Shape,
): { chance: number; open: (sign: number) => Operation }[][] =>
  autoAugmentPolicies[policy].map((steps: readonly Step[]) =>
    steps.map(([name, chance, magnitude = 0]) => ({ chance, open: openOperations(shape, magnitude / LAST)[name] })),
  );
