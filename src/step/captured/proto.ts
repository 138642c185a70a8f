import { requireFromTfjsNode } from '../../backend/load.ts';
import type { Signature } from '../types.ts';
import type { Graph, GraphNode } from './graph.ts';
import { type Attribute, type ConstantNode, DT } from './recording.ts';

/** The setters used of the messages in tfjs-node's `dist/proto/api_pb`. */
interface Messages {
  AttrValue: (new () => AttrValue) & { ListValue: new () => ListValue };
  GraphDef: new () => { setNodeList(nodes: Message[]): void; setVersions(versions: Message): void };
  MetaGraphDef: (new () => MetaGraphDef) & { MetaInfoDef: new () => { addTags(tag: string): void } };
  NodeDef: new () => NodeDef;
  SavedModel: new () => SavedModel;
  SignatureDef: new () => {
    setMethodName(name: string): void;
    getInputsMap(): MessageMap;
    getOutputsMap(): MessageMap;
  };
  Tensor: new () => TensorProto;
  TensorInfo: new () => {
    setName(name: string): void;
    setDtype(dtype: number): void;
    setTensorShape(m: Message): void;
  };
  TensorShape: (new () => { setDimList(dims: Message[]): void }) & {
    Dim: new () => { setSize(size: number): void };
  };
  VersionDef: new () => { setProducer(version: number): void };
}
type Message = object;
interface MessageMap {
  set(key: string, value: Message): void;
}
interface AttrValue {
  setS(value: Uint8Array): void;
  setI(value: number): void;
  setF(value: number): void;
  setB(value: boolean): void;
  setType(value: number): void;
  setShape(value: Message): void;
  setTensor(value: Message): void;
  setList(value: Message): void;
}
interface ListValue {
  setIList(value: readonly number[]): void;
  setFList(value: readonly number[]): void;
  setBList(value: readonly boolean[]): void;
  setTypeList(value: readonly number[]): void;
}
interface MetaGraphDef {
  setMetaInfoDef(info: Message): void;
  setGraphDef(graph: Message): void;
  getSignatureDefMap(): MessageMap;
}
interface NodeDef {
  setName(name: string): void;
  setOp(op: string): void;
  setInputList(inputs: readonly string[]): void;
  getAttrMap(): MessageMap;
}
interface SavedModel {
  setSavedModelSchemaVersion(version: number): void;
  addMetaGraphs(graph: Message): void;
  serializeBinary(): Uint8Array;
}
interface TensorProto {
  setDtype(dtype: number): void;
  setTensorShape(shape: Message): void;
  setTensorContent(bytes: Uint8Array): void;
  setStringValList(values: readonly Uint8Array[]): void;
}

/** Of TensorFlow 2.16; a producer that is too old makes TensorFlow imitate the ops of its time. */
const GRAPH_VERSION = 1766;

/** Tag of the one MetaGraph. */
export const TAG = 'serve';

/** The graph as the bytes of a `saved_model.pb`, with one signature definition per signature. */
export function savedModelBytes(graph: Graph, signatures: readonly Signature[]): Uint8Array {
  const messages = requireFromTfjsNode<Messages>('dist/proto/api_pb');
  const versions = new messages.VersionDef();
  versions.setProducer(GRAPH_VERSION);
  const definition = new messages.GraphDef();
  definition.setNodeList(graph.nodes.map((node) => nodeMessage(messages, node)));
  definition.setVersions(versions);
  const info = new messages.MetaGraphDef.MetaInfoDef();
  info.addTags(TAG);
  const meta = new messages.MetaGraphDef();
  meta.setMetaInfoDef(info);
  meta.setGraphDef(definition);
  for (const [index, signature] of signatures.entries()) {
    meta.getSignatureDefMap().set(`${signature.call}_${index}`, signatureMessage(messages, graph, signature, index));
  }
  const model = new messages.SavedModel();
  model.setSavedModelSchemaVersion(1);
  model.addMetaGraphs(meta);
  return model.serializeBinary();
}

function nodeMessage(messages: Messages, { name, op, inputs, attributes, value }: GraphNode): Message {
  const node = new messages.NodeDef();
  node.setName(name);
  node.setOp(op);
  node.setInputList(inputs);
  const map = node.getAttrMap();
  for (const [key, attribute] of Object.entries(attributes)) map.set(key, attributeMessage(messages, attribute));
  if (value !== undefined) {
    const [dtype, tensor] = [new messages.AttrValue(), new messages.AttrValue()];
    dtype.setType(value.outputs[0]!.dtype);
    tensor.setTensor(tensorMessage(messages, value));
    map.set('dtype', dtype);
    map.set('value', tensor);
  }
  return node;
}

function attributeMessage(messages: Messages, { kind, value }: Attribute): Message {
  const message = new messages.AttrValue();
  const list = new messages.AttrValue.ListValue();
  switch (kind) {
    case 'string':
      message.setS(Buffer.from(value, 'utf8'));
      return message;
    case 'int':
      message.setI(value);
      return message;
    case 'float':
      message.setF(value);
      return message;
    case 'bool':
      message.setB(value);
      return message;
    case 'type':
      message.setType(value);
      return message;
    case 'shape':
      message.setShape(shapeMessage(messages, value));
      return message;
    case 'ints':
      list.setIList(value);
      break;
    case 'floats':
      list.setFList(value);
      break;
    case 'bools':
      list.setBList(value);
      break;
    case 'types':
      list.setTypeList(value);
      break;
  }
  message.setList(list);
  return message;
}

function tensorMessage(messages: Messages, { value, outputs: [spec] }: ConstantNode): Message {
  const tensor = new messages.Tensor();
  tensor.setDtype(spec!.dtype);
  tensor.setTensorShape(shapeMessage(messages, spec!.shape));
  if (value instanceof Uint8Array) tensor.setTensorContent(value);
  else tensor.setStringValList(value);
  return tensor;
}

function shapeMessage(messages: Messages, shape: readonly number[]): Message {
  const message = new messages.TensorShape();
  message.setDimList(
    shape.map((length) => {
      const dim = new messages.TensorShape.Dim();
      dim.setSize(length);
      return dim;
    }),
  );
  return message;
}

function signatureMessage(messages: Messages, graph: Graph, { inputs }: Signature, index: number): Message {
  const { feeds, outputs } = graph.signatures[index]!;
  const definition = new messages.SignatureDef();
  definition.setMethodName('tensorflow/serving/predict');
  const info = (name: string, dtype: number, shape: readonly number[]): Message => {
    const message = new messages.TensorInfo();
    message.setName(name);
    message.setDtype(dtype);
    message.setTensorShape(shapeMessage(messages, shape));
    return message;
  };
  for (const [at, [name, { dtype, shape }]] of Object.entries(inputs).entries()) {
    definition.getInputsMap().set(name, info(feeds[at]!, DT[dtype], shape));
  }
  for (const { name, fetch, dtype, shape } of outputs) definition.getOutputsMap().set(name, info(fetch, dtype, shape));
  return definition;
}
