import type { Graph, GraphNode } from './build-graph.ts';
import { graphTooLarge } from './errors.ts';
import { type Attribute, type ConstantNode, DT, type RecordedNode } from './recording.ts';
import type { Signature } from './types.ts';
import { bytes, entry, float, floats, int, ints, message, text, toBytes, type Wire } from './wire.ts';

/** Of TensorFlow 2.16; a producer that is too old makes TensorFlow imitate the ops of its time. */
const GRAPH_VERSION = 1766;

/** Bytes of all constants; a string, which the file is built as, holds 2²⁹. */
const LARGEST = 2 ** 29 - 2 ** 24;

const byteLength = (value: ConstantNode['value']): number =>
  value instanceof Uint8Array ? value.length : value.reduce((sum, { length }) => sum + length, 0);

/** VersionDef, a field of GraphDef. */
export const VERSIONS = message(4, int(1, GRAPH_VERSION));

/** @throws {CaptureError} CAPTURE_SIZE for more constants than one file holds. */
export function checkedSize(nodes: readonly RecordedNode[]): void {
  const size = nodes.reduce((sum, node) => sum + (node.kind === 'constant' ? byteLength(node.value) : 0), 0);
  if (size > LARGEST) throw graphTooLarge(size);
}

/** Tag of the one MetaGraph. */
export const TAG = 'serve';

/** The graph as the bytes of a `saved_model.pb` (tensorflow/core/protobuf), with a definition of each signature. */
export function savedModelBytes(graph: Graph, signatures: readonly Signature[]): Uint8Array {
  checkedSize(graph.nodes.flatMap(({ value }) => value ?? []));
  const info = message(1, text(4, TAG));
  const definition = message(2, ...graph.nodes.map(nodeDef), VERSIONS);
  const calls = signatures.map((signature, index) =>
    entry(5, `${signature.call}_${index}`, ...signatureFields(graph, signature, index)),
  );
  return toBytes(int(1, 1) + message(2, info, definition, ...calls));
}

/** NodeDef, a field of GraphDef. */
export function nodeDef({ name, op, inputs, attributes, value }: GraphNode): Wire {
  const described = Object.entries(attributes).map(([key, attribute]) => entry(5, key, attributeField(attribute)));
  const constant =
    value === undefined ? [] : [entry(5, 'dtype', int(6, value.outputs[0]!.dtype)), entry(5, 'value', tensor(value))];
  return message(1, text(1, name), text(2, op), ...inputs.map((input) => text(3, input)), ...described, ...constant);
}

/** The one field of an AttrValue. */
function attributeField({ kind, value }: Attribute): Wire {
  switch (kind) {
    case 'string':
      return text(2, value);
    case 'int':
      return int(3, value);
    case 'float':
      return float(4, value);
    case 'bool':
      return int(5, value);
    case 'type':
      return int(6, value);
    case 'shape':
      return shapeProto(7, value);
    case 'ints':
      return message(1, ints(3, value));
    case 'floats':
      return message(1, floats(4, value));
    case 'bools':
      return message(1, ints(5, value));
    case 'types':
      return message(1, ints(6, value));
  }
}

/** TensorShapeProto; −1 is an unknown length. */
export const shapeProto = (field: number, lengths: readonly number[]): Wire =>
  message(field, ...lengths.map((length) => message(2, int(1, length))));

/** TensorProto, a field of AttrValue. */
function tensor({ value, outputs }: ConstantNode): Wire {
  const spec = outputs[0]!;
  return message(8, int(1, spec.dtype), shapeProto(2, spec.shape), ...content(value, spec.dtype));
}

/** Equal float32 values (`tf.ones` in tfjs's gradients) are written once: TensorFlow repeats the last. */
function content(value: ConstantNode['value'], dtype: number): Wire[] {
  if (!(value instanceof Uint8Array)) return value.map((string) => bytes(8, string));
  const uniform = value.length > 4 && Buffer.compare(value.subarray(4), value.subarray(0, -4)) === 0;
  return dtype === DT.float32 && uniform ? [bytes(5, value.subarray(0, 4))] : [bytes(4, value)];
}

/** Fields of a SignatureDef. */
function signatureFields(graph: Graph, { inputs }: Signature, index: number): Wire[] {
  const { feeds, outputs } = graph.signatures[index]!;
  const info = (field: number, key: string, name: string, dtype: number, lengths: readonly number[]): Wire =>
    entry(field, key, text(1, name), int(2, dtype), shapeProto(3, lengths));
  return [
    ...Object.entries(inputs).map(([name, spec], at) => info(1, name, feeds[at]!, DT[spec.dtype], spec.shape)),
    ...outputs.map((output) => info(2, output.name, output.fetch, output.dtype, output.shape)),
    text(3, 'tensorflow/serving/predict'),
  ];
}
