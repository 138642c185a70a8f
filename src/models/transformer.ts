import { gelu, softmax } from '../backend/kernels/index.ts';
import { tf } from '../tf.ts';
import { constant, normal } from './init.ts';
import { joined, type Layer, layerNorm, residual, scale, sequence, stateless } from './layers.ts';
import { seam } from './seams.ts';
import type { Seam } from './types.ts';

/** Activation between the two layers of a block's MLP: by erf, or OpenAI's `x·σ(1.702x)`. */
export type Activation = 'gelu' | 'quick-gelu';

/** Options of {@link transformerBlock}. */
export interface BlockOptions {
  /** Length of a token. */
  width: number;
  heads: number;
  activation: Activation;
  /** Added to the variance by layer norms. */
  epsilon: number;
  /** Whether both branches are multiplied by a vector before they are added. */
  layerScale: boolean;
}

/** Standard deviation of the initial kernels, as timm has it. */
export const DEVIATION = 0.02;

/** Factors of the branches at the beginning, as DINOv2 has them. */
const LAYER_SCALE = 1e-5;

/** `x·W + b` of the last axis: `<name>/kernel` `[inputs, outputs]` and `<name>/bias`; a seam of that name. */
export function dense(name: string, inputs: number, outputs: number): Layer {
  const [kernel, bias] = [`${name}/kernel`, `${name}/bias`];
  const shape = [inputs, outputs] as const;
  const product: Layer = {
    weights: [
      { name: kernel, shape, kind: 'kernel', initial: normal(shape, DEVIATION) },
      { name: bias, shape: [outputs], kind: 'bias', initial: constant([outputs], 0) },
    ],
    apply(x, { weights }) {
      const rows = tf.matMul(x.reshape<tf.Tensor2D>([-1, inputs]), weights[kernel] as tf.Tensor2D);
      return rows.add(weights[bias]!).reshape([...x.shape.slice(0, -1), outputs]);
    },
  };
  return seam(product, { name, in: inputs, out: outputs });
}

const activations: Readonly<Record<Activation, (x: tf.Tensor) => tf.Tensor>> = {
  gelu,
  'quick-gelu': (x) => x.mul(tf.sigmoid(x.mul(1.702))),
};

/** A layer that widens tokens fourfold, an activation, and one that narrows them. */
export const mlp = (name: string, { width, activation }: Pick<BlockOptions, 'width' | 'activation'>): Layer =>
  sequence(
    dense(`${name}/expand`, width, 4 * width),
    stateless(activations[activation]),
    dense(`${name}/project`, 4 * width, width),
  );

/** Self-attention with several heads (Vaswani et al. 2017) among the tokens of an image, `[batch, tokens, width]`. */
export function attention(name: string, { width, heads }: Pick<BlockOptions, 'width' | 'heads'>): Layer {
  const [query, key, value] = ['query', 'key', 'value'].map((part) => dense(`${name}/${part}`, width, width)) as [
    Layer,
    Layer,
    Layer,
  ];
  const project = dense(`${name}/project`, width, width);
  return {
    ...joined([query, key, value, project]),
    apply(x, flow) {
      const [q, k, v] = [query, key, value].map((layer) => splitHeads(layer.apply(x, flow), heads));
      return project.apply(joinHeads(attend(q!, k!, v!)), flow);
    },
  };
}

/** `softmax(q·kᵀ/√d)·v`, all of `[batch, heads, tokens, d]`. */
export function attend(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor): tf.Tensor {
  const scores = tf.matMul(q.mul(1 / Math.sqrt(q.shape[3]!)), k, false, true);
  return tf.matMul(softmax(scores), v);
}

/** `[batch, tokens, width]` → `[batch, heads, tokens, width / heads]` */
const splitHeads = (x: tf.Tensor, heads: number): tf.Tensor =>
  x.reshape([...x.shape.slice(0, 2), heads, x.shape[2]! / heads]).transpose([0, 2, 1, 3]);

/** `[batch, heads, tokens, d]` → `[batch, tokens, heads · d]` */
const joinHeads = (x: tf.Tensor): tf.Tensor => {
  const [batch, heads, tokens, depth] = x.shape as [number, number, number, number];
  return x.transpose([0, 2, 1, 3]).reshape([batch, tokens, heads * depth]);
};

/**
 * Attention, then an MLP, each with a layer norm before it and the input added after it (Dosovitskiy et al. 2021). Seams: the
 * block, both branches with their layer norm (`<name>/attention`, `<name>/mlp`), and each norm and linear layer.
 */
export function transformerBlock(name: string, options: BlockOptions): Layer {
  const { width, epsilon, layerScale } = options;
  const point = (at: string): Seam => ({ name: at, in: width, out: width });
  const branch = (index: 1 | 2, at: string, make: (at: string, options: BlockOptions) => Layer): Layer =>
    residual(
      seam(
        sequence(
          layerNorm(`${name}/norm${index}`, width, epsilon),
          make(at, options),
          ...(layerScale ? [scale(`${name}/scale${index}`, width, LAYER_SCALE)] : []),
        ),
        point(at),
      ),
    );
  const branches = [branch(1, `${name}/attention`, attention), branch(2, `${name}/mlp`, mlp)];
  return seam(sequence(...branches), point(name));
}
