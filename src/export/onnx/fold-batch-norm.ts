import { bytesOf } from '../fold-constants.ts';
import { floatsOf, usersOf } from './graph.ts';
import type { OnnxGraph } from './index.ts';
import type { OnnxNode, OnnxTensor } from './proto.ts';

/**
 * Makes batch norm right after a convolution part of its weights and its bias: `norm(conv(x, w)) = conv(x, w·g) + (shift −
 * mean·g)`, `g = scale / √(variance + ε)`. Rounded weights must be those that count.
 */
export function foldBatchNorm(graph: OnnxGraph): OnnxGraph {
  const constants = new Map(graph.constants.map((constant) => [constant.name, constant]));
  const producers = new Map(graph.nodes.map((node) => [node.outputs[0]!, node]));
  const users = usersOf(graph.nodes);
  const added: OnnxTensor[] = [];
  const folded = new Set<OnnxNode>();
  const floats = (name: string): Float32Array => floatsOf(constants.get(name)!);
  const nodes = graph.nodes.map((norm) => {
    const convolution = producers.get(norm.inputs[0] ?? '');
    const isFolded =
      norm.op === 'BatchNormalization' &&
      convolution?.op === 'Conv' &&
      users.get(norm.inputs[0]!)!.length === 1 &&
      convolution.inputs.length === 2 &&
      [convolution.inputs[1]!, ...norm.inputs.slice(1)].every((name) => constants.has(name));
    if (!isFolded) return norm;
    folded.add(convolution);
    const [scale, shift, mean, variance] = norm.inputs.slice(1).map(floats) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const { float: epsilon } = norm.attributes.epsilon as { float: number };
    const gain = scale.map((value, channel) => value / Math.sqrt(variance[channel]! + epsilon));
    const weights = constants.get(convolution.inputs[1]!)!;
    const values = floats(weights.name);
    const inner = values.length / gain.length;
    const [output] = norm.outputs as [string];
    added.push({
      ...weights,
      name: `${output}_kernel`,
      data: bytesOf(values.map((value, i) => value * gain[Math.floor(i / inner)]!)),
    });
    added.push({
      name: `${output}_shift`,
      type: 'float32',
      shape: [gain.length],
      data: bytesOf(shift.map((value, channel) => value - mean[channel]! * gain[channel]!)),
    });
    return {
      ...convolution,
      inputs: [convolution.inputs[0]!, `${output}_kernel`, `${output}_shift`],
      outputs: norm.outputs,
    };
  });
  return { ...graph, nodes: nodes.filter((node) => !folded.has(node)), constants: [...graph.constants, ...added] };
}
