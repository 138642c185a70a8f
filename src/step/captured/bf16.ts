import {
  type Attribute,
  DT,
  type Endpoint,
  type OpNode,
  type OpTrial,
  type RecordedNode,
  type Recording,
  specOf,
} from '../../graph/index.ts';
import { mapValues } from '../../util/map-values.ts';

/** How an op runs in bfloat16. */
interface HalfRule {
  /** Inputs that are cast. */
  inputs: readonly number[];
  /** Outputs that become bfloat16; the rest stay float32. */
  outputs: readonly number[];
  /**
   * When: `always` (it is where the time goes), `first` if its first cast input is in bfloat16 already, `all` if every
   * one is; these two take 4-dimensional activations only. `as is`: widens the input itself, so that it needs no cast; `cast`: the same
   * where the input was cast for another op, so that its float32 need not stay until the backward pass.
   * `tokens`: products of transformers, see {@link isOfTokens}.
   */
  when: 'always' | 'first' | 'all' | 'as is' | 'cast' | 'tokens';
  /** The result is a weight's gradient: back to float32 at once, so that sums and the update keep float32. */
  weight?: true;
}

/**
 * Ops that run in bfloat16: convolutions, what lies between them, and matrix products of tokens. Loss, classifier, softmax,
 * layer norm, GELU, statistics of batch norm (its type `U`), weights and update stay float32; the custom update takes gradients as convolutions give them.
 */
const RULES: Readonly<Record<string, HalfRule>> = {
  Conv2D: { inputs: [0, 1], outputs: [0], when: 'always' },
  Conv2DBackpropInput: { inputs: [1, 2], outputs: [0], when: 'always' },
  Conv2DBackpropFilter: { inputs: [0, 2], outputs: [0], when: 'always', weight: true },
  TailmixConv2D: { inputs: [0, 1], outputs: [0], when: 'always' },
  TailmixConv2DBackpropInput: { inputs: [0, 1], outputs: [0], when: 'always' },
  TailmixConv2DBackpropFilter: { inputs: [0, 1], outputs: [], when: 'always' },
  FusedBatchNormV3: { inputs: [0], outputs: [0], when: 'first' },
  FusedBatchNormGradV3: { inputs: [1, 0], outputs: [0], when: 'first' },
  TailmixBatchNorm: { inputs: [0], outputs: [0], when: 'first' },
  TailmixBatchNormGrad: { inputs: [1, 0], outputs: [0], when: 'first' },
  Relu: { inputs: [0], outputs: [0], when: 'first' },
  Relu6: { inputs: [0], outputs: [0], when: 'first' },
  ReluGrad: { inputs: [1, 0], outputs: [0], when: 'first' },
  Relu6Grad: { inputs: [1, 0], outputs: [0], when: 'first' },
  Add: { inputs: [0, 1], outputs: [0], when: 'all' },
  AddV2: { inputs: [0, 1], outputs: [0], when: 'all' },
  BiasAdd: { inputs: [0, 1], outputs: [0], when: 'first' },
  Pad: { inputs: [0], outputs: [0], when: 'first' },
  PadV2: { inputs: [0, 2], outputs: [0], when: 'first' },
  Reshape: { inputs: [0], outputs: [0], when: 'first' },
  Slice: { inputs: [0], outputs: [0], when: 'first' },
  MaxPool: { inputs: [0], outputs: [0], when: 'first' },
  MaxPoolGrad: { inputs: [0, 1, 2], outputs: [0], when: 'first' },
  AvgPool: { inputs: [0], outputs: [0], when: 'first' },
  AvgPoolGrad: { inputs: [1], outputs: [0], when: 'first' },
  BatchMatMulV2: { inputs: [0, 1], outputs: [0], when: 'tokens' },
  TailmixSgd: { inputs: [2], outputs: [], when: 'as is' },
  TailmixSoftmaxGrad: { inputs: [1], outputs: [], when: 'cast' },
};

interface Value {
  at: Endpoint;
  half: boolean;
  /** In bfloat16, and worth going on in it. */
  activation: boolean;
}

/** Rewrites a recording so that its convolutions, what lies between them, and matrix products of tokens run in bfloat16. */
export function toBfloat16(recording: Recording, canRun: OpTrial): Recording {
  const nodes: RecordedNode[] = [];
  const values = new Map<string, Value>();
  const casts = new Map<string, Endpoint>();
  const valueAt = (from: Endpoint): Value => values.get(keyOf(from))!;

  function as(half: boolean, from: Endpoint): Endpoint {
    const value = valueAt(from);
    const before = specOf(recording.nodes, from);
    if (value.half === half || before.dtype !== DT.float32) return value.at;
    const key = keyOf(from);
    const known = casts.get(key);
    if (known !== undefined) return known;
    const [source, target] = half ? [DT.float32, DT.bfloat16] : [DT.bfloat16, DT.float32];
    const cast: OpNode = {
      kind: 'op',
      op: 'Cast',
      attributes: { SrcT: type(source), DstT: type(target), Truncate: { kind: 'bool', value: false } },
      inputs: [value.at],
      outputs: [{ shape: before.shape, dtype: target }],
    };
    const at = { node: nodes.push(cast) - 1, output: 0 };
    casts.set(key, at);
    return at;
  }

  const isCast = (from: Endpoint): boolean => !valueAt(from).half && casts.has(keyOf(from));
  for (const [index, node] of recording.nodes.entries()) {
    const half = node.kind === 'op' ? halfNode(recording, node, { valueAt, isCast, canRun }) : undefined;
    let next: RecordedNode = half ?? node;
    if (node.kind === 'op') {
      const cast = half === undefined ? [] : RULES[node.op]!.inputs;
      next = { ...(next as OpNode), inputs: node.inputs.map((from, at) => as(cast.includes(at), from)) };
    }
    const at = nodes.push(next) - 1;
    for (const [output, { dtype }] of next.outputs.entries()) {
      const isHalf = dtype === DT.bfloat16;
      const activation = isHalf && node.kind === 'op' && RULES[node.op]!.weight === undefined;
      values.set(`${index}:${output}`, { at: { node: at, output }, half: isHalf, activation });
    }
  }
  const float = (from: Endpoint): Endpoint => as(false, from);
  return { nodes, outputs: mapValues(recording.outputs, float), state: mapValues(recording.state, float) };
}

const keyOf = ({ node, output }: Endpoint): string => `${node}:${output}`;

const type = (value: number): Attribute => ({ kind: 'type', value });

/** The node with bfloat16 types, if a rule applies; its inputs are the old ones. */
function halfNode(
  recording: Recording,
  node: OpNode,
  { valueAt, isCast, canRun }: { valueAt(from: Endpoint): Value; isCast(from: Endpoint): boolean; canRun: OpTrial },
): OpNode | undefined {
  const rule = RULES[node.op];
  const { T } = node.attributes;
  if (rule === undefined || T?.kind !== 'type' || T.value !== DT.float32) return undefined;
  if (rule.when === 'as is' && !valueAt(node.inputs[rule.inputs[0]!]!).half) return undefined;
  if (rule.when === 'cast' && !isCast(node.inputs[rule.inputs[0]!]!)) return undefined;
  if (rule.when === 'tokens' && !isOfTokens(recording, node)) return undefined;
  const wanted = rule.when === 'all' ? rule.inputs : rule.inputs.slice(0, 1);
  const ready = wanted.every((input) => valueAt(node.inputs[input]!).activation);
  const spatial = node.outputs[0]!.shape.length === 4;
  if ((rule.when === 'first' || rule.when === 'all') && !(ready && spatial)) return undefined;
  return runnable(recording, node, rule, canRun);
}

/**
 * Whether a matrix product is one of a transformer: among the heads of attention, or of a dense layer and its gradients, where
 * `[batch, tokens, width]` was made a matrix. The classifier's is neither: it has a row for each image.
 */
function isOfTokens({ nodes }: Recording, { inputs, outputs }: OpNode): boolean {
  if (outputs[0]!.shape.length > 2) return true;
  return inputs.some(({ node }) => {
    const source = nodes[node]!;
    return source.kind === 'op' && source.op === 'Reshape' && specOf(nodes, source.inputs[0]!).shape.length === 3;
  });
}

/** Whether an op has a rule here, and a kernel that follows it. */
export function runsInBfloat16(recording: Recording, node: OpNode, canRun: OpTrial): boolean {
  const rule = RULES[node.op];
  return rule !== undefined && runnable(recording, node, rule, canRun) !== undefined;
}

function runnable(recording: Recording, node: OpNode, rule: HalfRule, canRun: OpTrial): OpNode | undefined {
  const half: OpNode = {
    ...node,
    attributes: { ...node.attributes, T: type(DT.bfloat16) },
    outputs: node.outputs.map(({ shape, dtype }, output) => ({
      shape,
      dtype: rule.outputs.includes(output) ? DT.bfloat16 : dtype,
    })),
  };
  const inputs = node.inputs.map((from, input) => {
    const { shape, dtype } = specOf(recording.nodes, from);
    if (rule.inputs.includes(input)) return { shape, dtype: DT.bfloat16 };
    const source = recording.nodes[from.node]!;
    return source.kind === 'constant' ? { shape, dtype, value: source.value } : { shape, dtype };
  });
  return canRun(half, inputs) ? half : undefined;
}
