import { type Wire, wire } from '../../graph/index.ts';

const { bytes, float, int, ints, message, text, toBytes } = wire;

/** Version of ONNX's operators: what each op means, and which are attributes and which inputs. */
const OPSET = 17;
/** Version of the file format that came with it. */
const IR_VERSION = 8;

/** ONNX's numbers of types (`TensorProto.DataType`). */
export const ONNX_TYPES = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float64: 11 } as const;
export type OnnxType = keyof typeof ONNX_TYPES;

/** Attribute of an op: an integer, integers, a float. */
export type OnnxAttribute = number | readonly number[] | { float: number };

/** An op; tensors go by name. */
export interface OnnxNode {
  op: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A constant. */
export interface OnnxTensor {
  name: string;
  type: OnnxType;
  shape: readonly number[];
  /** Little-endian. */
  data: Uint8Array;
}

/** An input or an output; a string is the name of an unknown length. */
export interface OnnxPort {
  name: string;
  type: OnnxType;
  /** Default: not known. */
  shape?: readonly (number | string)[];
}

/** What a file holds. */
export interface OnnxModel {
  name: string;
  producer: { name: string; version: string };
  nodes: readonly OnnxNode[];
  constants: readonly OnnxTensor[];
  inputs: readonly OnnxPort[];
  outputs: readonly OnnxPort[];
  /** Text by key, for whoever loads the model. */
  metadata: Readonly<Record<string, string>>;
}

/** The bytes of a `.onnx` file: a ModelProto (onnx/onnx.proto). */
export function onnxBytes({ name, producer, nodes, constants, inputs, outputs, metadata }: OnnxModel): Uint8Array {
  const graph = [
    ...nodes.map(nodeProto),
    text(2, name),
    ...constants.map(tensorProto),
    ...inputs.map((port) => portProto(11, port)),
    ...outputs.map((port) => portProto(12, port)),
  ];
  return toBytes(
    int(1, IR_VERSION) +
      text(2, producer.name) +
      text(3, producer.version) +
      message(7, ...graph) +
      message(8, text(1, ''), int(2, OPSET)) +
      Object.entries(metadata)
        .map(([key, value]) => message(14, text(1, key), text(2, value)))
        .join(''),
  );
}

/** NodeProto, a field of GraphProto; named after its first output. */
const nodeProto = ({ op, inputs, outputs, attributes }: OnnxNode): Wire =>
  message(
    1,
    ...inputs.map((input) => text(1, input)),
    ...outputs.map((output) => text(2, output)),
    text(3, outputs[0]!),
    text(4, op),
    ...Object.entries(attributes).map(([key, value]) => message(5, text(1, key), ...attributeFields(value))),
  );

/** Value and type of an AttributeProto. */
function attributeFields(value: OnnxAttribute): Wire[] {
  if (typeof value === 'number') return [int(3, value), int(20, 2)];
  return 'float' in value ? [float(2, value.float), int(20, 1)] : [ints(8, value), int(20, 7)];
}

/** TensorProto, a field of GraphProto. */
const tensorProto = ({ name, type, shape, data }: OnnxTensor): Wire =>
  message(5, ints(1, shape), int(2, ONNX_TYPES[type]), text(8, name), bytes(9, data));

/** ValueInfoProto, a field of GraphProto. */
function portProto(field: 11 | 12, { name, type, shape }: OnnxPort): Wire {
  const dimensions = shape?.map((length) => message(1, typeof length === 'number' ? int(1, length) : text(2, length)));
  const known = dimensions ? [message(2, ...dimensions)] : [];
  return message(field, text(1, name), message(2, message(1, int(1, ONNX_TYPES[type]), ...known)));
}
