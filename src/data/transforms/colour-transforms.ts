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
  return (source, from, target, to, position) => {
    copyImage(source, from, target, to, 3 * pixels);
    for (const change of changes(position)) change(target, to, pixels);
  };
}

/** The changes of an image, in the order in which they are made. */
function jitter(
  { brightness, contrast: contrasts, saturation, hue }: Extract<ColourOptions, { name: 'color-jitter' }>,
  random: Draw,
): (position: number) => ColourOperation[] {
  const factor = (strength: number, draw: number): number =>
    Math.max(0, 1 - strength) + draw * (1 + strength - Math.max(0, 1 - strength));
  return (position) => {
    const draw = (k: number): number => random(position, k);
    const changes = [
      { change: brightness > 0 ? brighten(factor(brightness, draw(0))) : null, place: draw(4) },
      { change: contrasts > 0 ? contrast(factor(contrasts, draw(1))) : null, place: draw(5) },
      { change: saturation > 0 ? saturate(factor(saturation, draw(2))) : null, place: draw(6) },
      { change: hue > 0 ? turnHue(hue * (2 * draw(3) - 1)) : null, place: draw(7) },
    ];
    return changes.sort((a, b) => a.place - b.place).flatMap(({ change }) => change ?? []);
  };
}

function lighting(std: number, random: Draw): (position: number) => ColourOperation[] {
  return (position) => {
    const normal = (k: number): number =>
      Math.sqrt(-2 * Math.log(1 - random(position, 2 * k))) * Math.cos(2 * Math.PI * random(position, 2 * k + 1));
    return [addColour(lightingColour([std * normal(0), std * normal(1), std * normal(2)]))];
  };
}

function randAugment(
  { operations: count, magnitude }: Extract<ColourOptions, { name: 'rand-augment' }>,
  shape: Shape,
  random: Draw,
): Augment {
  const all = openOperations(shape, magnitude);
  const bytes = shape[0] * shape[1] * 3;
  const scratch = [new Uint8Array(bytes), new Uint8Array(bytes)] as const;
  return (source, from, target, to, position) => {
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
