import { ofRank, tf } from '../tf.ts';
import { classifier } from './heads.ts';
import { type Initializer, normal, uniform } from './init.ts';
import { joined, type Layer, layerNorm, sequence, startFlow } from './layers.ts';
import type { NetworkOptions } from './network.ts';
import { ofStage, type Parts, throughStages } from './stages.ts';
import { type Activation, DEVIATION, transformerBlock } from './transformer.ts';
import type { Model, Task, WeightSpec } from './types.ts';
import { type VisionTransformerForm, type VisionTransformerName, visionTransformers } from './vit-forms.ts';

/** Options of {@link visionTransformer}. */
export interface VisionTransformerOptions extends VisionTransformerForm {
  /** Length of a token: a multiple of the heads. */
  width: number;
  /** Number of blocks. */
  depth: number;
  activation: Activation;
  head: NetworkOptions['head'];
}

/**
 * A Vision Transformer (Dosovitskiy et al. 2021), timm's: patches as tokens, a class token, `depth` blocks, and the class
 * token after a last layer norm as features. Nothing is dropped in training.
 * Features can be mixed at `input`, after the embedding (`embed`), after each block (`block1`, …), and at `pool`.
 */
export function visionTransformer(
  name: VisionTransformerName,
  { width, depth, activation, head: headOptions, ...form }: VisionTransformerOptions,
  { classes, imageShape }: Task,
): Model {
  const { patch, heads } = visionTransformers[name];
  const epsilon = form.preNorm ? 1e-5 : 1e-6;
  const [height, wide, channels] = imageShape;
  const embed = embedding({ ...form, patch, width, channels, grid: [height / patch, wide / patch] });
  const first = form.preNorm ? sequence(embed, layerNorm('embed/norm', width, epsilon)) : embed;
  const { layerScale } = form;
  const blocks = Array.from({ length: depth }, (_, i) =>
    transformerBlock(`block${i + 1}`, { width, heads, activation, epsilon, layerScale }),
  );
  const last = layerNorm('norm', width, epsilon);
  const initial = (shape: readonly number[]): Initializer => normal(shape, DEVIATION);
  const head = classifier({ initial, ...headOptions, inputs: width, classes });
  const stages = { embed: first, ...Object.fromEntries(blocks.map((block, i) => [`block${i + 1}`, block])) };
  const trunk = joined([first, ...blocks, last]);
  const own = Object.entries(stages).flatMap(([stage, { weights }]) => ofStage(stage, weights));
  return {
    name,
    weights: [...own, ...ofStage('pool', last.weights), ...head.weights],
    seams: trunk.seams ?? [],
    stages: ['input', ...Object.keys(stages), 'pool'],
    featureSize: width,
    head: head.kind,
    forward(weights, images, pass) {
      const flow = startFlow(weights, pass);
      const features = throughStages(pass, images, [
        ...Object.entries(stages).map(([stage, layer]): Parts[number] => [stage, (x) => layer.apply(x, flow)]),
        ['pool', (tokens) => last.apply(classToken(tokens), flow)],
      ]);
      return { logits: head.apply(features, weights), features, statistics: flow.statistics };
    },
  };
}

/** `[batch, tokens, width]` → `[batch, width]` */
const classToken = (tokens: tf.Tensor): tf.Tensor =>
  tokens.slice([0, 0, 0], [-1, 1, -1]).reshape([tokens.shape[0]!, tokens.shape[2]!]);

/** Options of {@link embedding}. */
interface EmbeddingOptions extends VisionTransformerForm {
  /** Side of a patch, in pixels. */
  patch: number;
  width: number;
  channels: number;
  /** Rows and columns of patches. */
  grid: readonly [number, number];
}

/**
 * `[batch, height, width, channels]` → `[batch, 1 + registers + patches, width]`: the class token, the registers, and a
 * linear function of each patch, with their positions.
 */
function embedding(options: EmbeddingOptions): Layer {
  const { patch, width, channels, grid, preNorm, registers, classPosition } = options;
  const patches = grid[0] * grid[1];
  const kernel = [patch, patch, channels, width] as const;
  const fan = patch * patch * channels;
  const tokens = (name: string, shape: readonly number[], deviation: number): WeightSpec => ({
    name,
    shape: [1, ...shape, width],
    kind: 'bias',
    initial: normal([1, ...shape, width], deviation),
  });
  const before = 1 + registers;
  return {
    weights: [
      { name: 'embed/patch/kernel', shape: kernel, kind: 'kernel', initial: uniform(kernel, fan) },
      ...(preNorm
        ? []
        : [{ name: 'embed/patch/bias', shape: [width], kind: 'bias', initial: uniform([width], fan) } as const]),
      tokens('embed/class', [1], 1e-6),
      ...(registers > 0 ? [tokens('embed/registers', [registers], 1e-6)] : []),
      ...(classPosition ? [tokens('embed/class-position', [1], DEVIATION)] : []),
      tokens('embed/position', grid, DEVIATION),
    ],
    apply(images, { weights }) {
      const projected = images.conv2d(ofRank(weights['embed/patch/kernel'], 4), patch, 'valid');
      const rows = projected.reshape([projected.shape[0]!, patches, width]);
      const padded = tf.pad(rows, [
        [0, 0],
        [before, 0],
        [0, 0],
      ]);
      return padded.add(added(weights));
    },
  };

  /** All that is added to the patches, and to zeros before them: `[1, 1 + registers + patches, width]`. */
  function added(weights: Readonly<Record<string, tf.Tensor>>): tf.Tensor {
    const plus = (x: tf.Tensor, name: string): tf.Tensor => (weights[name] ? x.add(weights[name]) : x);
    const position = weights['embed/position']!.reshape([1, patches, width]);
    return tf.concat(
      [
        plus(weights['embed/class']!, 'embed/class-position'),
        ...(registers > 0 ? [weights['embed/registers']!] : []),
        plus(position, 'embed/patch/bias'),
      ],
      1,
    );
  }
}
