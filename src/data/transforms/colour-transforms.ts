import type { Augment, Draw, Shape } from './augment.ts';
import { openPolicies } from './auto-augment.ts';
import { addColour, brighten, type ColourOperation, contrast, lightingColour, saturate, turnHue } from './colour.ts';
import { copyImage } from './geometry.ts';
import { type Operation, openOperations, randAugmentNames } from './operations.ts';
import type { TransformOptions } from './options.ts';

type ColourOptions = Extract<
  TransformOptions,
  { name: 'color-jitter' | 'pca-lighting' | 'rand-augment' | 'auto-augment' }
>;

/** Opens a transform of the colours of RGB images, which keeps their shape. */
export function colourPass(options: ColourOptions, shape: Shape, random: Draw): Augment {
  if (options.name === 'rand-augment') return randAugment(options, shape, random);
  if (options.name === 'auto-augment') return autoAugment(options, shape, random);
  const pixels = shape[0] * shape[1];
  const changes = options.name === 'color-jitter' ? jitter(options, random) : lighting(options.std, random);
  return (source, from, target, to, position, strength = 1) => {
    copyImage(source, from, target, to, 3 * pixels);
    for (const change of changes(position, strength)) change(target, to, pixels);
  };
}

/** The changes of an image, in the order in which they are made. */
function jitter(
  { brightness, contrast: contrasts, saturation, hue }: Extract<ColourOptions, { name: 'color-jitter' }>,
  random: Draw,
): (position: number, strength: number) => ColourOperation[] {
  const factor = (reach: number, draw: number): number =>
    Math.max(0, 1 - reach) + draw * (1 + reach - Math.max(0, 1 - reach));
  return (position, strength) => {
    const draw = (k: number): number => random(position, k);
    const changes = [
      { change: brightness > 0 ? brighten(factor(strength * brightness, draw(0))) : null, place: draw(4) },
      { change: contrasts > 0 ? contrast(factor(strength * contrasts, draw(1))) : null, place: draw(5) },
      { change: saturation > 0 ? saturate(factor(strength * saturation, draw(2))) : null, place: draw(6) },
      { change: hue > 0 ? turnHue(strength * hue * (2 * draw(3) - 1)) : null, place: draw(7) },
    ];
    return changes.sort((a, b) => a.place - b.place).flatMap(({ change }) => change ?? []);
  };
}

function lighting(full: number, random: Draw): (position: number, strength: number) => ColourOperation[] {
  return (position, strength) => {
    const std = strength * full;
    const normal = (k: number): number =>
      Math.sqrt(-2 * Math.log(1 - random(position, 2 * k))) * Math.cos(2 * Math.PI * random(position, 2 * k + 1));
    return [addColour(lightingColour([std * normal(0), std * normal(1), std * normal(2)]))];
  };
}

/** Steps of RandAugment's strength. */
const STEPS = 30;

function randAugment(
  { operations: most, magnitude, probability = 1 }: Extract<ColourOptions, { name: 'rand-augment' }>,
  shape: Shape,
  random: Draw,
): Augment {
  const opened = new Map<number, ReturnType<typeof openOperations>>();
  const operationsOf = (strength: number): ReturnType<typeof openOperations> => {
    const known = opened.get(strength) ?? openOperations(shape, (magnitude * strength) / STEPS);
    opened.set(strength, known);
    return known;
  };
  const apply = oneAfterTheOther(shape);
  return (source, from, target, to, position, strength = 1) => {
    const all = operationsOf(strength);
    const isChanged = probability >= 1 || random(position, 2 * most) < probability;
    // A strength is float32: a third of 9 operations is three.
    const count = isChanged ? Math.ceil(most * strength - 1e-6) : 0;
    const drawn = Array.from({ length: count }, (_, i) => {
      const name = randAugmentNames[Math.floor(random(position, 2 * i) * randAugmentNames.length)]!;
      return all[name](random(position, 2 * i + 1) < 0.5 ? -1 : 1);
    });
    apply(drawn, source, from, target, to);
  };
}

/** Applies operations to an RGB image in turn, with room of its own for what lies between them. */
function oneAfterTheOther(shape: Shape) {
  const bytes = shape[0] * shape[1] * 3;
  const scratch = [new Uint8Array(bytes), new Uint8Array(bytes)] as const;
  return (operations: readonly Operation[], source: Uint8Array, from: number, target: Uint8Array, to: number): void => {
    let image = source;
    let at = from;
    for (const [i, operation] of operations.entries()) {
      const next = scratch[(i & 1) as 0 | 1];
      operation(image, at, next);
      image = next;
      at = 0;
    }
    copyImage(image, at, target, to, bytes);
  };
}

/** One sub-policy of AutoAugment an image: each of its two operations by chance, which a strength below 1 lowers. */
function autoAugment(
  { policy }: Extract<ColourOptions, { name: 'auto-augment' }>,
  shape: Shape,
  random: Draw,
): Augment {
  const policies = openPolicies(policy, shape);
  const apply = oneAfterTheOther(shape);
  return (source, from, target, to, position, strength = 1) => {
    const pair = policies[Math.floor(random(position, 0) * policies.length)]!;
    const drawn = pair.flatMap(({ chance, open }, i) =>
      random(position, 1 + 2 * i) < strength * chance ? [open(random(position, 2 + 2 * i) < 0.5 ? -1 : 1)] : [],
    );
    apply(drawn, source, from, target, to);
  };
}
