import { rebuild } from './prune.ts';
import { type Attribute, DT, type OpNode, type RecordedNode, type Recording } from './recording.ts';

/** Turns tailmix's custom convolutions in float32 back into TensorFlow's: for bfloat16, and for exports. */
export function toStandardConvolutions(recording: Recording): Recording {
  return rebuild(recording, (node, _, keep) => {
    const standard = node.kind === 'op' ? STANDARD[node.op] : undefined;
    return standard === undefined ? keep(node) : standard(node as OpNode, keep);
  });
}

type Keep = (node: RecordedNode) => number;

/** The gradients' second or first input is the shape of what they give. */
const sizes = ({ outputs }: OpNode, keep: Keep): { node: number; output: 0 } => {
  const { shape } = outputs[0]!;
  const value = new Uint8Array(Int32Array.from(shape).buffer);
  return { node: keep({ kind: 'constant', outputs: [{ shape: [shape.length], dtype: DT.int32 }], value }), output: 0 };
};

const STANDARD: Readonly<Record<string, (node: OpNode, keep: Keep) => number>> = {
  TailmixConv2D: (node, keep) => keep({ ...node, op: 'Conv2D', attributes: ATTRIBUTES }),
  TailmixConv2DBackpropInput: (node, keep) =>
    keep({
      ...node,
      op: 'Conv2DBackpropInput',
      attributes: ATTRIBUTES,
      inputs: [sizes(node, keep), ...node.inputs],
    }),
  TailmixConv2DBackpropFilter: (node, keep) => {
    const [x, dy] = node.inputs as [OpNode['inputs'][number], OpNode['inputs'][number]];
    const inputs = [x, sizes(node, keep), dy];
    return keep({ ...node, op: 'Conv2DBackpropFilter', attributes: ATTRIBUTES, inputs });
  },
};

const ones: Attribute = { kind: 'ints', value: [1, 1, 1, 1] };

/** Of what the custom ops compute, as tfjs writes them: exports compare recordings. */
const ATTRIBUTES: Readonly<Record<string, Attribute>> = {
  T: { kind: 'type', value: DT.float32 },
  strides: ones,
  padding: { kind: 'string', value: 'SAME' },
  data_format: { kind: 'string', value: 'NHWC' },
  use_cudnn_on_gpu: { kind: 'bool', value: true },
  dilations: ones,
};
