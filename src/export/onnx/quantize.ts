import { bytesOf } from '../fold-constants.ts';
import { floatsOf, usersOf } from './graph.ts';
import type { OnnxModel, OnnxNode, OnnxTensor, OnnxType } from './proto.ts';

/** Least and largest value of a tensor. */
export interface Range {
  min: number;
  max: number;
}

/** Ops with weights, and the axis of the weights that is their output channel. */
const WEIGHTED: Readonly<Record<string, number>> = { Conv: 0, Gemm: 1, MatMul: 1 };
/** Ops on integers where what they take is of a convolution; MaxPool keeps the scale. */
const FOLLOWING = new Set(['Add', 'MaxPool', 'AveragePool', 'Concat']);
/** Ops that a kernel for integers does while it rounds. */
const ACTIVATIONS = new Set(['Relu', 'Clip']);

/**
 * Largest weight in int8, as in onnxruntime's `reduce_range`: two products with a uint8 then fit the 16 bits in which AVX2 and
 * AVX-512 add them. With 127 they saturate without VNNI (docs/export.md).
 */
const LARGEST_WEIGHT = 64;
/** Largest bias in int32, with room for the products that are added to it. */
const LARGEST_BIAS = 2 ** 30;

/** What becomes an op on integers, and which tensors are then rounded. */
export interface QuantizationPlan {
  nodes: ReadonlySet<OnnxNode>;
  tensors: ReadonlySet<string>;
}

/**
 * Chooses ops and tensors as onnxruntime's static quantisation does: convolutions and products with constant weights, sums
 * and pooling after them; nothing is rounded between a convolution and its ReLU. The logits stay float32.
 */
export function planQuantization({ nodes, constants }: OnnxModel): QuantizationPlan {
  const isConstant = new Set(constants.map(({ name }) => name));
  const users = usersOf(nodes);
  const chosen = new Set<OnnxNode>();
  const rounded = new Set<string>();
  const tensors = new Set<string>();
  for (const node of nodes) {
    const [output] = node.outputs as [string];
    const computed = node.inputs.filter((name) => !isConstant.has(name));
    const isWeighted = node.op in WEIGHTED && !isConstant.has(node.inputs[0]!) && isConstant.has(node.inputs[1]!);
    const others = node.op === 'Add' ? computed.some((x) => rounded.has(x)) : computed.every((x) => rounded.has(x));
    const follows = FOLLOWING.has(node.op) && computed.length === node.inputs.length && others;
    if (ACTIVATIONS.has(node.op) && rounded.has(node.inputs[0]!)) rounded.add(output);
    if (!isWeighted && !follows) continue;
    chosen.add(node);
    for (const name of isWeighted ? [node.inputs[0]!] : computed) tensors.add(name);
    // A product may give float32, a convolution may not.
    if (!isWeighted || node.op === 'Conv') {
      rounded.add(output);
      tensors.add(activated(output));
    }
  }
  return { nodes: chosen, tensors };

  function activated(name: string): string {
    const [next, ...more] = users.get(name) ?? [];
    return next !== undefined && more.length === 0 && ACTIVATIONS.has(next.op) ? next.outputs[0]! : name;
  }
}

/**
 * A model with rounded weights and activations as pairs of QuantizeLinear and DequantizeLinear, which runtimes turn into
 * ops on integers: weights int8, symmetric, a scale per output channel; biases int32; activations uint8, a scale and a zero
 * point per tensor (Jacob et al. 2018).
 *
 * @param ranges - of the tensors of the plan; one without a range stays float32
 */
export function quantize(
  model: OnnxModel,
  { nodes: chosen, tensors }: QuantizationPlan,
  ranges: ReadonlyMap<string, Range>,
): OnnxModel {
  const constants = new Map(model.constants.map((constant) => [constant.name, constant]));
  const nodes: OnnxNode[] = [];
  const added = new Map<string, OnnxTensor>();
  /** Where a rounded tensor is read, and whether ops on float32 read it there too. */
  const read = new Map<string, { name: string; scale: number; byAll: boolean }>();
  const scales = new Map<string, { scale: number; zero: number }>();

  const constant = (name: string, type: OnnxType, shape: readonly number[], values: ArrayBufferView): string => {
    added.set(name, { name, type, shape, data: bytesOf(values) });
    return name;
  };
  const add = (
    op: string,
    inputs: readonly string[],
    output: string,
    attributes: OnnxNode['attributes'] = {},
  ): string => {
    nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  };
  const round = (name: string, byAll: boolean): void => {
    const range = ranges.get(name);
    if (!tensors.has(name) || range === undefined) return;
    const { scale, zero } = scales.get(name) ?? scaleOf(range);
    scales.set(name, { scale, zero });
    const how = [
      constant(`${name}_scale`, 'float32', [], Float32Array.of(scale)),
      constant(`${name}_zero`, 'uint8', [], Uint8Array.of(zero)),
    ];
    const rounded = add('QuantizeLinear', [name, ...how], `${name}_uint8`);
    read.set(name, { name: add('DequantizeLinear', [rounded, ...how], `${name}_rounded`), scale, byAll });
  };
  const weightsOf = (node: OnnxNode, scale: number): string[] => {
    const [weights, bias] = node.inputs.slice(1).map((name) => constants.get(name)!);
    const axis = WEIGHTED[node.op]!;
    const own = roundWeights(weights!, axis, bias && floatsOf(bias), scale);
    const name = `${node.outputs[0]}_weights`;
    const { length } = own.scales;
    const how = [
      constant(`${name}_scale`, 'float32', [length], own.scales),
      constant(`${name}_zero`, 'int8', [length], new Int8Array(length)),
    ];
    const inputs = [constant(`${name}_int8`, 'int8', weights!.shape, own.weights), ...how];
    const result = [add('DequantizeLinear', inputs, name, { axis })];
    if (own.bias === null) return result;
    const biasName = `${node.outputs[0]}_bias`;
    const biasInputs = [
      constant(`${biasName}_int32`, 'int32', [length], own.bias),
      constant(
        `${biasName}_scale`,
        'float32',
        [length],
        own.scales.map((one) => one * scale),
      ),
    ];
    return [...result, add('DequantizeLinear', biasInputs, biasName, { axis: 0 })];
  };

  const producers = new Map(model.nodes.map((node) => [node.outputs[0]!, node]));
  const isOfIntegers = (name: string): boolean => {
    const node = producers.get(name);
    if (node === undefined) return false;
    return chosen.has(node) || (ACTIVATIONS.has(node.op) && chosen.has(producers.get(node.inputs[0]!)!));
  };
  for (const { name } of model.inputs) round(name, false);
  for (const node of model.nodes) {
    const isChosen = chosen.has(node);
    const inputs = node.inputs.map((name) => {
      const own = read.get(name);
      return own && (isChosen || own.byAll) ? own.name : name;
    });
    const first = read.get(node.inputs[0]!);
    const isRounded = isChosen && node.op in WEIGHTED && first !== undefined;
    nodes.push({ ...node, inputs: isRounded ? [inputs[0]!, ...weightsOf(node, first.scale)] : inputs });
    const [output] = node.outputs as [string];
    const kept = scales.get(node.inputs[0]!);
    if (isChosen && node.op === 'MaxPool' && kept) scales.set(output, kept);
    round(output, isOfIntegers(output));
  }
  const used = new Set(nodes.flatMap((node) => node.inputs));
  const left = model.constants.filter(({ name }) => used.has(name));
  return { ...model, nodes, constants: [...left, ...added.values()] };
}

/** Scale and zero point of a range for uint8; 0 is met exactly, because padding is 0. */
export function scaleOf({ min, max }: Range): { scale: number; zero: number } {
  const [low, high] = [Math.min(0, min), Math.max(0, max)];
  const scale = Math.fround((high - low) / 255) || 1;
  return { scale, zero: Math.min(255, Math.max(0, Math.round(-low / scale))) };
}

/** Weights in int8 and a bias in int32; a channel's scale is raised where its bias would not fit. */
export function roundWeights(
  tensor: OnnxTensor,
  axis: number,
  bias: Float32Array | undefined,
  inputScale: number,
): { weights: Int8Array; scales: Float32Array; bias: Int32Array | null } {
  const values = floatsOf(tensor);
  const channels = tensor.shape[axis]!;
  const inner = tensor.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const channelOf = (i: number): number => Math.floor(i / inner) % channels;
  const largest = new Float64Array(channels);
  for (const [i, value] of values.entries()) largest[channelOf(i)] = Math.max(largest[channelOf(i)]!, Math.abs(value));
  const scales = Float32Array.from(largest, (value, channel) => {
    const least = Math.abs(bias?.[channel] ?? 0) / inputScale / LARGEST_BIAS;
    return Math.max(value / LARGEST_WEIGHT, least) || 1;
  });
  const clamped = (value: number): number => Math.max(-LARGEST_WEIGHT, Math.min(LARGEST_WEIGHT, Math.round(value)));
  return {
    weights: Int8Array.from(values, (value, i) => clamped(value / scales[channelOf(i)]!)),
    scales,
    bias: bias ? Int32Array.from(bias, (value, channel) => Math.round(value / (inputScale * scales[channel]!))) : null,
  };
}
