import type { Augment, Draw, Shape } from './augment.ts';
import { addColour, brighten, type ColourOperation, contrast, lightingColour, saturate, turnHue } from './colour.ts';
import { copyImage } from './geometry.ts';
import type { TransformOptions } from './options.ts';
import { openOperations } from './rand-augment.ts';

type ColourOptions = Extract<TransformOptions, { name: 'color-jitter' | 'pca-lighting' | 'rand-augment' }>;

/** Opens a transform of the colours of RGB images, which keeps their shape. */
export function colourPass(options: ColourOptions, shape: Shape, random: Draw): Augment {
  if (options.name === 'rand-augment') return randAugment(options, shape, random);
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

function randAugment(
  { operations: most, magnitude, probability = 1 }: Extract<ColourOptions, { name: 'rand-augment' }>,
  shape: Shape,
  random: Draw,
): Augment {
  const opened = new Map<number, ReturnType<typeof openOperations>>();
  const operationsOf = (strength: number): ReturnType<typeof openOperations> => {
    const known = opened.get(strength) ?? openOperations(shape, magnitude * strength);
    opened.set(strength, known);
    return known;
  };
  const bytes = shape[0] * shape[1] * 3;
  const scratch = [new Uint8Array(bytes), new Uint8Array(bytes)] as const;
  return (source, from, target, to, position, strength = 1) => {
    const all = operationsOf(strength);
    const isChanged = probability >= 1 || random(position, 2 * most) < probability;
    // A strength is float32: a third of 9 operations is three.
    const count = isChanged ? Math.ceil(most * strength - 1e-6) : 0;
    let image = source;
    let at = from;
    for (let i = 0; i < count; i++) {
      const next = scratch[(i & 1) as 0 | 1];
      const open = all[Math.floor(random(position, 2 * i) * all.length)]!;
      open(random(position, 2 * i + 1) < 0.5 ? -1 : 1)(image, at, next);
      image = next;
      at = 0;
    }
    copyImage(image, at, target, to, bytes);
  };
}
