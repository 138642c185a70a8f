import { OPS } from './ops.ts';
import type { Attribute, TensorSpec } from './recording.ts';

interface OpEntry {
  /** For each input argument: the attribute that counts a list, and the one that holds its type(s). */
  inputs: readonly { count: string | null; type: string | null; types: string | null }[];
  attributes: ReadonlySet<string>;
}

/** Ops whose output shape depends on values; with constants alone it is fixed all the same. */
const VALUE_SHAPED = new Set([
  'Where',
  'Unique',
  'UniqueV2',
  'UniqueWithCounts',
  'UniqueWithCountsV2',
  'ListDiff',
  'DynamicPartition',
  'DynamicStitch',
  'ParallelDynamicStitch',
  'NonMaxSuppression',
  'NonMaxSuppressionV2',
  'NonMaxSuppressionV3',
  'NonMaxSuppressionV4',
  'NonMaxSuppressionV5',
  'NonMaxSuppressionWithOverlaps',
  'SparseFillEmptyRows',
  'SegmentSum',
  'SegmentMean',
  'SegmentMax',
  'SegmentMin',
  'SegmentProd',
  'DenseToDenseSetOperation',
  'StringSplit',
  'StringSplitV2',
  'StringNGrams',
]);

/** tailmix's custom ops (native/ops.cc), in the form of {@link OPS}. */
const OWN_OPS = `
TailmixBatchNorm T,#,#,#,#,residuals*T T,residuals,relu,epsilon,momentum
TailmixBatchNormGrad summands*T,T,outputs*T,#,#,#,# T,summands,outputs,kept,relu
TailmixConv2D T,T,biases*#,residuals*T T,biases,residuals,relu
TailmixConv2DBackpropInput T,T T
TailmixConv2DBackpropFilter T,T T,size,stride
TailmixSgd #,#,T,# T,momentum,decay,nesterov
TailmixLayerNorm T,T,T T,epsilon
TailmixLayerNormGrad T,T,T,T,T T
TailmixLayerNormSums T,T,T,T T
TailmixGelu T T
TailmixGeluGrad T,T T
TailmixSoftmaxGrad #,T T
`;

/**
 * Sums and concatenations over the processes of a cluster: pure as long as all processes run the same graph; and what stands for
 * one while replicas are recorded.
 */
const COLLECTIVES = `
CollectiveReduceV2 T,#,#,#,Nordering_token*# T,merge_op,final_op,communication_hint,timeout_seconds,max_subdivs_per_device
CollectiveGatherV2 T,#,#,#,Nordering_token*# T,communication_hint,timeout_seconds
TailmixAcross T T,key,replicas
`;

const parsed = new Map<string, OpEntry>();

/** Looks an op up among the pure ones. */
function entryOf(op: string): OpEntry | undefined {
  if (parsed.size === 0) {
    for (const line of (OPS + OWN_OPS + COLLECTIVES).split('\n')) {
      const [name, inputs = '', attributes = ''] = line.split(' ');
      if (name)
        parsed.set(name, { inputs: inputs.split(',').filter(Boolean).map(parseInput), attributes: words(attributes) });
    }
  }
  return parsed.get(op);
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(',').filter(Boolean));

function parseInput(text: string): OpEntry['inputs'][number] {
  const [first = '', second] = text.split('*');
  const kind = second ?? first;
  return {
    count: second === undefined ? null : first,
    type: /^[#[]/.test(kind) ? null : kind,
    types: kind.startsWith('[') ? kind.slice(1, -1) : null,
  };
}

/** True for ops whose result depends on their inputs alone. */
export const isPure = (op: string): boolean => entryOf(op) !== undefined;

/** True for ops whose output shape depends on the values of their inputs. */
export const isValueShaped = (op: string): boolean =>
  VALUE_SHAPED.has(op) || /^(Ragged|CTC.*Decoder$|Decode(?!Base64))/.test(op);

/**
 * A graph needs every attribute; eager execution fills in what follows from the inputs and ignores what it does not
 * know. Does the same: adds types and list lengths, drops strangers.
 */
export function completeAttributes(
  op: string,
  given: Readonly<Record<string, Attribute>>,
  inputs: readonly TensorSpec[],
): Record<string, Attribute> {
  const entry = entryOf(op)!;
  const attributes = Object.fromEntries(Object.entries(given).filter(([name]) => entry.attributes.has(name)));
  const single = entry.inputs.filter(({ count, types }) => count === null && types === null).length;
  let at = 0;
  for (const { count, type, types } of entry.inputs) {
    let length = 1;
    if (count !== null) {
      const known = attributes[count];
      length = known?.kind === 'int' ? known.value : inputs.length - single;
      attributes[count] ??= { kind: 'int', value: length };
    } else if (types !== null) {
      const known = attributes[types];
      length = known?.kind === 'types' ? known.value.length : inputs.length - single;
      attributes[types] ??= { kind: 'types', value: inputs.slice(at, at + length).map(({ dtype }) => dtype) };
    }
    const first = inputs[at];
    if (type !== null && first !== undefined && length > 0) attributes[type] ??= { kind: 'type', value: first.dtype };
    at += length;
  }
  return attributes;
}
