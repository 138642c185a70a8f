import { globalAverage } from '../../backend/kernels/index.ts';
import type { NamedTensors } from '../../tf.ts';
import { tf } from '../../tf.ts';
import { type ClassifierOptions, classifier } from '../heads.ts';
import { ofStage, throughStages } from '../stages.ts';
import type { ImageTask, Model, Pass, WeightSpec } from '../types.ts';
import { backboneInput, featuresShape } from './errors.ts';
import type { PixelRange } from './pixels.ts';

/** A user's network up to its features. */
export interface Backbone {
  name: string;
  /** `[height, width, channels]` that it takes; null where any length will do. */
  inputShape: readonly (number | null)[];
  weights: readonly WeightSpec[];
  /** Stages between `input` and `features`, in order. */
  stages: readonly string[];
  /** What the features are, for messages, and their shape, batch first. */
  features: { name: string; shape: readonly (number | null)[] };
  /** Whether it drops values. */
  random: boolean;
  /** Images in its own pixel range → features; puts the next statistics into `statistics`. */
  apply(images: tf.Tensor, weights: NamedTensors, pass: Pass, statistics: NamedTensors): tf.Tensor;
}

/** Options that all backbones share. */
export interface BackboneOptions extends Omit<ClassifierOptions, 'inputs' | 'classes' | 'initial'> {
  pixels: PixelRange;
}

/**
 * A backbone with a new classifier on its features; a map of features is averaged over height and width.
 * Features can be mixed at `input`, at the backbone's own stages, and at `features`.
 *
 * @throws {TailmixError} BACKBONE_INPUT, BACKBONE_FEATURES_SHAPE.
 */
export function withClassifier(backbone: Backbone, { pixels, ...head }: BackboneOptions, task: ImageTask): Model {
  const { name, inputShape, features, stages } = backbone;
  requireInput(name, inputShape, task);
  const size = features.shape.at(-1) ?? null;
  if (size === null || (features.shape.length !== 2 && features.shape.length !== 4)) {
    throw featuresShape(features.name, features.shape);
  }
  const top = classifier({ ...head, inputs: size, classes: task.classes });
  return {
    name,
    weights: [...ofStage('features', backbone.weights), ...top.weights],
    stages: ['input', ...stages, 'features'],
    featureSize: size,
    head: top.kind,
    random: backbone.random,
    forward(weights, images, pass) {
      const statistics: NamedTensors = {};
      const vector = throughStages(pass, images, [
        [
          'features',
          (input) => {
            const found = backbone.apply(inRange(input, pixels, task), weights, pass, statistics);
            return found.rank === 4 ? globalAverage(found) : found;
          },
        ],
      ]);
      return { logits: top.apply(vector, weights), features: vector, statistics };
    },
  };
}

/**
 * Whether a network takes the run's images.
 *
 * @throws {TailmixError} BACKBONE_INPUT.
 */
export function requireInput(
  name: string,
  inputShape: Backbone['inputShape'],
  { imageShape }: Pick<ImageTask, 'imageShape'>,
): void {
  const show = (lengths: readonly (number | null)[]): string => lengths.map((length) => length ?? 'any').join('×');
  if (inputShape.length !== 3 || inputShape.some((length, axis) => length !== null && length !== imageShape[axis])) {
    throw backboneInput(name, show(imageShape), show(inputShape));
  }
}

/** Normalised pixels in another range: `(x·std + mean)` is 0…1. */
function inRange(x: tf.Tensor, pixels: PixelRange, { mean, std }: ImageTask): tf.Tensor {
  if (pixels === 'normalised') return x;
  const [factor, offset] = { bytes: [255, 0], unit: [1, 0], signed: [2, -1] }[pixels] as [number, number];
  const scale = tf.tensor1d(std.map((deviation) => deviation * factor));
  const shift = tf.tensor1d(mean.map((average) => average * factor + offset));
  return x.mul(scale).add(shift);
}
