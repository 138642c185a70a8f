/**
 * TensorFlow graphs recorded from TensorFlow.js code: `tf.function` for tfjs-node. {@link capture} is the way in; the
 * rest is for those who rewrite, load or export recordings themselves. Published as `tailmix/graph`.
 */
export { toBinding } from './attributes.ts';
export type { Graph, GraphNode } from './build-graph.ts';
export { type CapturedFunction, capture, type TensorFunction } from './capture.ts';
export { CaptureError } from './errors.ts';
export { foldNorm } from './fold-norm.ts';
export { signatureKey } from './key.ts';
export { type GraphOptions, type GraphStats, type OpenGraph, openGraph } from './open-graph.ts';
export { checkedSize, nodeDef, shapeProto, TAG, VERSIONS } from './proto.ts';
export { dropUnused, mergeEqual, rebuild } from './prune.ts';
export {
  type Attribute,
  type ConstantNode,
  DT,
  dtypeName,
  type Endpoint,
  type InputNode,
  type OpNode,
  opOf,
  printRecording,
  type RecordedNode,
  type Recording,
  type StateNode,
  specOf,
  type TensorSpec,
} from './recording.ts';
export { type KeptCall, type KeptRecordings, keptCalls, openRecordings, writeRecordings } from './recording-file.ts';
export type { OpTrial } from './runs-op.ts';
export { openSession, type Session, withModelFolder } from './session.ts';
export type { RuleInput } from './shape-rules.ts';
export { createShapeInference, type ShapeInference } from './shapes.ts';
export { toStandardConvolutions } from './standard-convolutions.ts';
export { trace } from './trace.ts';
export type { GraphFunction, GraphProgram, HostArray, HostOutputs, InputDtype, Signature } from './types.ts';
export type { Wire } from './wire.ts';
export * as wire from './wire.ts';
