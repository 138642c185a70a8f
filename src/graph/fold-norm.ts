import { dropUnused, rebuild } from './prune.ts';
import {
  type Attribute,
  DT,
  type Endpoint,
  type OpNode,
  type RecordedNode,
  type Recording,
  specOf,
} from './recording.ts';

/**
 * Batch norm by running statistics, right after a convolution, becomes part of the convolution's weights:
 * `norm(conv(x, w)) = conv(x, w·g) + (shift − mean·g)`, `g = scale / √(variance + ε)`. TensorFlow then runs
 * convolution, bias, residual sum and ReLU as one kernel. For prediction; training normalises by the batch.
 */
export function foldNorm(recording: Recording): Recording {
  const foldable = foldableNorms(recording);
  if (foldable.size === 0) return recording;
  const folded = rebuild(recording, (node, index, keep, nodes) =>
    foldable.has(index) ? addFolded(node as OpNode, keep, nodes) : keep(node),
  );
  return dropUnused(folded);
}

/** Norms of which only the result is used, and whose convolution nothing else uses. */
function foldableNorms({ nodes, outputs, state }: Recording): ReadonlySet<number> {
  const uses = new Map<number, number>();
  const others = new Set<number>();
  const use = ({ node, output }: Endpoint): void => {
    uses.set(node, (uses.get(node) ?? 0) + 1);
    if (output > 0) others.add(node);
  };
  for (const node of nodes) if (node.kind === 'op') node.inputs.forEach(use);
  for (const from of [...Object.values(outputs), ...Object.values(state)]) use(from);
  const foldable = new Set<number>();
  for (const [index, node] of nodes.entries()) {
    if (node.kind !== 'op' || node.op !== 'FusedBatchNormV3' || others.has(index)) continue;
    const from = node.inputs[0]!.node;
    const convolution = nodes[from]!;
    const { is_training: training, data_format: format } = node.attributes;
    if (training?.value !== false || format?.value === 'NCHW' || uses.get(from) !== 1) continue;
    if (convolution.kind === 'op' && CONVOLUTIONS.includes(convolution.op)) foldable.add(index);
  }
  return foldable;
}

function addFolded(norm: OpNode, keep: (node: RecordedNode) => number, nodes: readonly RecordedNode[]): number {
  const [x, scale, shift, mean, variance] = norm.inputs;
  const convolution = nodes[x!.node] as OpNode;
  const [images, kernel] = convolution.inputs;
  const owner = norm.owner === undefined ? {} : { owner: norm.owner };
  const add = (op: string, attributes: OpNode['attributes'], like: Endpoint, ...inputs: Endpoint[]): Endpoint => {
    const outputs = [specOf(nodes, like)];
    return { node: keep({ kind: 'op', op, attributes: { T, ...attributes }, inputs, outputs, ...owner }), output: 0 };
  };
  const epsilon = norm.attributes.epsilon!.value as number;
  const value = new Uint8Array(Float32Array.of(epsilon).buffer);
  const constant = keep({ kind: 'constant', outputs: [{ shape: [], dtype: DT.float32 }], value });
  const deviation = add('Rsqrt', {}, variance!, add('AddV2', {}, variance!, variance!, { node: constant, output: 0 }));
  const gain = add('Mul', {}, scale!, scale!, deviation);
  const bias = add('Sub', {}, shift!, shift!, add('Mul', {}, mean!, mean!, gain));
  const weighted = add('Mul', {}, kernel!, kernel!, gain);
  if (convolution.op === 'TailmixConv2D') {
    const attributes: OpNode['attributes'] = { ...convolution.attributes, biases: { kind: 'int', value: 1 } };
    return add('TailmixConv2D', attributes, x!, images!, weighted, bias).node;
  }
  const convolved = add('Conv2D', convolution.attributes, x!, images!, weighted);
  const format: Attribute = { kind: 'string', value: 'NHWC' };
  return add('BiasAdd', { data_format: format }, x!, convolved, bias).node;
}

/** Without a bias so far. */
const CONVOLUTIONS = ['Conv2D', 'TailmixConv2D'];

const T: Attribute = { kind: 'type', value: DT.float32 };
