import { sizeOf } from '../util/shape.ts';
import { type OpNode, type Recording, specOf, type TensorSpec } from './recording.ts';

type Rule = (inputs: readonly TensorSpec[], output: TensorSpec, attributes: OpNode['attributes']) => number;

/** A filter `[…sides, channels in of a group, channels out]` at each place of the output. */
const convolution: Rule = ([, filter], output) => sizeOf(output.shape) * sizeOf(filter!.shape.slice(0, -1));

/** `[sides, sides, channels, multiplier]`. */
const depthwise: Rule = ([, filter], output) => sizeOf(output.shape) * sizeOf(filter!.shape.slice(0, 2));

/** A transposed convolution: the filter at each place of what it is given. */
const transposed: Rule = ([, filter, given]) => sizeOf(given!.shape) * sizeOf(filter!.shape.slice(0, -1));

const product =
  (transposes: string): Rule =>
  ([left], output, attributes) =>
    sizeOf(output.shape) * left!.shape.at(attributes[transposes]?.value ? -2 : -1)!;

const RULES: Readonly<Record<string, Rule>> = {
  Conv2D: convolution,
  Conv3D: convolution,
  TailmixConv2D: convolution,
  DepthwiseConv2dNative: depthwise,
  Conv2DBackpropInput: transposed,
  Conv3DBackpropInputV2: transposed,
  MatMul: product('transpose_a'),
  BatchMatMul: product('adj_x'),
  BatchMatMulV2: product('adj_x'),
  BatchMatMulV3: product('adj_x'),
};

/**
 * Multiply–accumulates of a call's convolutions and matrix products, from the shapes of its recording before it is rewritten.
 * Padding counts as if it were pixels. Not counted: all other ops (norms, activations, pooling, softmax, sums and products by
 * element), and what is computed from state and constants alone, since it is the same for any number of images.
 */
export function macsOf({ nodes }: Pick<Recording, 'nodes'>): number {
  let sum = 0;
  const isFed: boolean[] = [];
  for (const node of nodes) {
    isFed.push(node.kind === 'input' || (node.kind === 'op' && node.inputs.some((from) => isFed[from.node])));
    const rule = node.kind === 'op' && isFed.at(-1) ? RULES[node.op] : undefined;
    if (!rule) continue;
    const { inputs, outputs, attributes } = node as OpNode;
    sum += rule(
      inputs.map((from) => specOf(nodes, from)),
      outputs[0]!,
      attributes,
    );
  }
  return sum;
}
