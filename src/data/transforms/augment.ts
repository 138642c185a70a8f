import { randomField } from '../../random.ts';
import { transformChannels, transformSize } from '../errors.ts';
import { colourPass } from './colour-transforms.ts';
import { copyImage, cover, cropWindow, mirror, padCrop } from './geometry.ts';
import type { growths, TransformOptions } from './options.ts';
import { centreOf, placeWindow } from './photo.ts';
import { type Box, type Interpolation, openResample } from './resample.ts';

/** `[height, width, channels]`. */
export type Shape = readonly [number, number, number];

/**
 * Reads one uint8 image at `source[from]`, writes it at `target[to]`; `position` is its place in the epoch's list,
 * `strength` what the transforms that have one are weakened to, 0…1. Default: 1.
 */
export type Augment = (
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  to: number,
  position: number,
  strength?: number,
) => void;

/** Uniform in [0, 1): number `draw` of the image at a position. */
export type Draw = (position: number, draw: number) => number;

/** What transforms must know beside the image. */
interface AugmentOptions {
  /** Shape that comes out. Default: that which goes in. */
  target?: Shape;
  /** Mean colour of the data set, of pixels in 0…1. */
  mean?: readonly number[] | undefined;
  /** What is cut out of an image that is larger in the end: its centre, or by the position one of five crops. Default: `centre`. */
  crops?: Crops | undefined;
  /** How an image is scaled that has another size after its transforms. Default: its centre is cut out. */
  scale?: Scale | undefined;
  /** Epochs of the run. Default: 1. */
  epochs?: number | undefined;
  /** Tells the random numbers of a group of rows from those of other rows at the same positions. Default: none. */
  key?: string | undefined;
}

/** How images are scaled whenever they are read, before the model's part of them is cut out. */
export interface Scale {
  /** That they are scaled to cover. */
  shape: Shape;
  interpolation: Interpolation;
}

/** What evaluation cuts out of an image: `five` is the corners and the centre. */
export const cropNames = ['centre', 'five'] as const;
export type Crops = (typeof cropNames)[number];

/** How many there are. */
export const cropCounts: Readonly<Record<Crops, number>> = { centre: 1, five: 5 };

const NEEDS_RGB: ReadonlySet<string> = new Set(['color-jitter', 'pca-lighting', 'rand-augment', 'auto-augment']);

const WITH_STRENGTH: ReadonlySet<string> = new Set([...NEEDS_RGB, 'cutout']);

/** Whether a transform can be weakened: rand-augment, auto-augment, color-jitter, pca-lighting and cutout. */
export const hasStrength = ({ name }: Pick<TransformOptions, 'name'>): boolean => WITH_STRENGTH.has(name);

/**
 * The shape after each transform of a list; what does not become `target` so is scaled at the end, or has its centre cut out.
 *
 * @param isScaled - whether images are scaled after their transforms
 * @throws {TailmixError} DATA_AUGMENT where the result is smaller than `target`, or a transform needs other channels
 */
export function shapesAfter(
  transforms: readonly TransformOptions[],
  shape: Shape,
  target: Shape,
  isScaled = false,
): Shape[] {
  let now = shape;
  const shapes = transforms.map((options) => {
    if (NEEDS_RGB.has(options.name) && shape[2] !== 3) throw transformChannels(options.name, shape[2]);
    if (options.name === 'resize') {
      const [height, width] = typeof options.size === 'number' ? [options.size, options.size] : options.size;
      now = [height, width, shape[2]];
    } else if (options.name === 'random-resized-crop' || (options.name === 'pad-crop' && !isScaled)) now = target;
    return now;
  });
  if (!isScaled && (now[0] < target[0] || now[1] < target[1])) throw transformSize(now, target);
  return shapes;
}

/**
 * The transforms of an epoch as one function. What it does to an image depends on (seed, epoch, position, image) alone;
 * each transform draws from a field of its own name, so that adding one shifts no other's draws. An image that is larger
 * than the target in the end has its centre cut out: without transforms, that of evaluation. With `scale`, one of another size
 * is scaled first, as it is for evaluation.
 *
 * @param shape - of every image that goes in
 */
export function openAugment(
  transforms: readonly TransformOptions[],
  shape: Shape,
  seed: number,
  epoch: number,
  { target: final = shape, mean = [], crops = 'centre', scale, epochs = 1, key }: AugmentOptions = {},
): Augment {
  const used = new Map<string, number>();
  const shapes = [...shapesAfter(transforms, shape, final, scale !== undefined)];
  const time = epochs > 1 ? Math.min(1, (epoch - 1) / (epochs - 1)) : 0;
  const passes = transforms.map((options, i) => {
    const occurrence = used.get(options.name) ?? 0;
    used.set(options.name, occurrence + 1);
    const random = randomField(seed, 'augment', options.name, occurrence, epoch, ...(key === undefined ? [] : [key]));
    return openTransform(atTime(options, time), shapes[i - 1] ?? shape, shapes[i]!, random, mean);
  });
  if (scale && !isSame(shapes.at(-1) ?? shape, final)) {
    passes.push(scalePass(shapes.at(-1) ?? shape, final, scale));
    shapes.push(scale.shape);
  }
  const end = shapes.at(-1) ?? shape;
  if (!isSame(end, final)) passes.push(finalCrop(end, final, crops));
  if (passes.length === 0) return (source, from, target, to) => copyImage(source, from, target, to, bytesOf(shape));
  const last = passes.pop()!;
  const room = Math.max(...[shape, ...shapes].map(bytesOf));
  const scratch = [new Uint8Array(room), new Uint8Array(room)] as const;
  return (source, from, target, to, position, strength) => {
    let image = source;
    let at = from;
    for (let i = 0; i < passes.length; i++) {
      const next = scratch[(i & 1) as 0 | 1];
      passes[i]!(image, at, next, 0, position, strength);
      image = next;
      at = 0;
    }
    last(image, at, target, to, position, strength);
  };
}

const bytesOf = ([height, width, channels]: Shape): number => height * width * channels;

const isSame = (a: Shape, b: Shape): boolean => a.every((side, i) => side === b[i]);

/** Curves of LIFT+, from 0 to 1. */
const curves = {
  linear: (t: number): number => t,
  convex: (t: number): number => 1 - Math.sqrt(1 - t ** 2),
  concave: (t: number): number => Math.sqrt(1 - (1 - t) ** 2),
} satisfies Record<(typeof growths)[number], unknown>;

/**
 * Options as they are at a time of the run.
 *
 * @param time - from 0 in the first epoch to 1 in the last
 */
function atTime(options: TransformOptions, time: number): TransformOptions {
  if (options.name !== 'random-resized-crop' || options.growth === undefined) return options;
  const [low, high] = options.scale;
  return { ...options, scale: [low + curves[options.growth](time) * (high - low), high] };
}

/** The whole image, scaled to cover a shape, whose centre is the image's. */
function scalePass(shape: Shape, final: Shape, { shape: cover, interpolation }: Scale): Augment {
  const { scaled, top, left } = placeWindow([shape[0], shape[1]], [cover[0], cover[1]], [final[0], final[1]]);
  const window = { top, left, height: cover[0], width: cover[1] };
  const resample = openResample(shape, [...scaled, shape[2]], { interpolation, window });
  const box = { top: 0, left: 0, height: shape[0], width: shape[1] };
  return (source, from, target, to) => resample(source, from, box, target, to);
}

/** The centre; or in torchvision's order top left, top right, bottom left, bottom right, centre. */
function finalCrop(shape: Shape, [height, width]: Shape, crops: Crops): Augment {
  const centre = { top: centreOf(shape[0], height), left: centreOf(shape[1], width), height, width };
  const [bottom, right] = [shape[0] - height, shape[1] - width];
  const corners = [0, bottom].flatMap((top) => [0, right].map((left) => ({ top, left, height, width })));
  const windows = crops === 'five' ? [...corners, centre] : [centre];
  return (source, from, target, to, position) =>
    cropWindow(source, from, target, to, shape, windows[position % windows.length]!);
}

function openTransform(
  options: TransformOptions,
  shape: Shape,
  after: Shape,
  random: Draw,
  mean: readonly number[],
): Augment {
  switch (options.name) {
    case 'pad-crop': {
      const { padding } = options;
      const [height, width] = after;
      const [down, right] = [shape[0] + 2 * padding - height + 1, shape[1] + 2 * padding - width + 1];
      const same = shape[0] === height && shape[1] === width;
      return (source, from, target, to, position) => {
        const top = Math.floor(random(position, 0) * down);
        const left = Math.floor(random(position, 1) * right);
        if (same) padCrop(source, from, target, to, shape, { padding, top, left });
        else cropWindow(source, from, target, to, shape, { top: top - padding, left: left - padding, height, width });
      };
    }
    case 'flip': {
      const bytes = bytesOf(shape);
      return (source, from, target, to, position) => {
        if (random(position, 0) < options.probability) mirror(source, from, target, to, shape);
        else copyImage(source, from, target, to, bytes);
      };
    }
    case 'resize': {
      const resample = openResample(shape, after, { interpolation: options.interpolation });
      const box = { top: 0, left: 0, height: shape[0], width: shape[1] };
      return (source, from, target, to) => resample(source, from, box, target, to);
    }
    case 'random-resized-crop': {
      const resample = openResample(shape, after, { interpolation: options.interpolation });
      return (source, from, target, to, position) =>
        resample(
          source,
          from,
          drawBox(shape, options, (draw) => random(position, draw)),
          target,
          to,
        );
    }
    case 'cutout': {
      const bytes = bytesOf(shape);
      const colour = Array.from({ length: shape[2] }, (_, c) => Math.round(255 * (mean[c] ?? 0)));
      return (source, from, target, to, position, strength = 1) => {
        copyImage(source, from, target, to, bytes);
        const size = Math.round(options.size * strength);
        for (let i = 0; i < options.count && size > 0; i++) {
          const y = Math.floor(random(position, 2 * i) * shape[0]);
          const x = Math.floor(random(position, 2 * i + 1) * shape[1]);
          cover(target, to, shape, { y, x, size, colour });
        }
      };
    }
    default:
      return colourPass(options, shape, random);
  }
}

/** Times that a box is drawn anew when it does not fit. */
const TRIES = 10;

/**
 * A random part of an image: its area a uniform share of the whole, its ratio log-uniform; where none fits, the largest
 * centred one whose ratio is within the limits.
 */
export function drawBox(
  [height, width]: Shape,
  { scale, ratio }: { scale: readonly [number, number]; ratio: readonly [number, number] },
  random: (draw: number) => number,
): Box {
  const [low, high] = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let i = 0; i < 4 * TRIES; i += 4) {
    const area = height * width * (scale[0] + random(i) * (scale[1] - scale[0]));
    const aspect = Math.exp(low + random(i + 1) * (high - low));
    const [w, h] = [Math.round(Math.sqrt(area * aspect)), Math.round(Math.sqrt(area / aspect))];
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const top = Math.floor(random(i + 2) * (height - h + 1));
    const left = Math.floor(random(i + 3) * (width - w + 1));
    return { top, left, height: h, width: w };
  }
  const own = width / height;
  const w = own > ratio[1] ? Math.max(1, Math.round(height * ratio[1])) : width;
  const h = own < ratio[0] ? Math.max(1, Math.round(width / ratio[0])) : height;
  return { top: (height - h) >> 1, left: (width - w) >> 1, height: h, width: w };
}
