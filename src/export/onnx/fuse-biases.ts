import { usersOf } from './graph.ts';
import type { OnnxGraph } from './index.ts';
import type { OnnxModel, OnnxNode, OnnxTensor } from './proto.ts';

/**
 * Makes a constant that is added to a convolution its bias, and one that is added to a product of two matrices that of a
 * `Gemm`: kernels for integers add biases as int32.
 */
export function fuseBiases({ matrices, ...model }: OnnxGraph): OnnxModel {
  const constants = new Map(model.constants.map((constant) => [constant.name, constant]));
  const users = usersOf(model.nodes);
  const added: OnnxTensor[] = [];
  const fused = new Map<OnnxNode, OnnxNode | null>();
  for (const node of model.nodes) {
    const weights = constants.get(node.inputs[1] ?? '');
    const next = users.get(node.outputs[0]!) ?? [];
    const [add] = next;
    if (weights === undefined || next.length !== 1 || add?.op !== 'Add' || node.inputs.length !== 2) continue;
    const bias = add.inputs.map((name) => constants.get(name)).find((constant) => constant !== undefined);
    const channels = weights.shape[node.op === 'Conv' ? 0 : 1];
    if (bias === undefined || bias.data.length !== 4 * channels!) continue;
    const isConvolution = node.op === 'Conv' && bias.shape.at(-3) === channels;
    const isProduct = node.op === 'MatMul' && matrices.has(node.outputs[0]!);
    if (!isConvolution && !isProduct) continue;
    const name = `${bias.name}_bias`;
    if (!added.some((one) => one.name === name)) added.push({ ...bias, name, shape: [channels!] });
    const op = isProduct ? 'Gemm' : node.op;
    fused.set(node, null);
    fused.set(add, { ...node, op, inputs: [...node.inputs, name], outputs: add.outputs });
  }
  const nodes = model.nodes.flatMap((node) => {
    const own = fused.get(node);
    return own === undefined ? [node] : own === null ? [] : [own];
  });
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  return { ...model, nodes, constants: [...model.constants, ...added].filter(({ name }) => used.has(name)) };
}
