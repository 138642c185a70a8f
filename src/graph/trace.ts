import type { TensorFlowBinding, TensorMetadata } from '../backend/binding.ts';
import type { NamedTensors } from '../tf.ts';
import { tf } from '../tf.ts';
import { backendNotNative, badResult, CaptureError, type Place, tensorsKept, variableUsed } from './errors.ts';
import { watchKeeps } from './keeps.ts';
import { createRecorder, type Recorder, sourceOp } from './recorder.ts';
import { DT, type Endpoint, type Recording, type TensorSpec } from './recording.ts';
import type { ShapeInference } from './shapes.ts';
import type { GraphFunction, Signature } from './types.ts';

/** The parts of tfjs-node's backend that recording leans on. */
interface NodeBackend {
  binding: TensorFlowBinding;
  createOutputTensor(metadata: TensorMetadata): tf.Tensor;
  getInputTensorIds(tensors: readonly tf.Tensor[]): number[];
}

/** What is recorded, and how. */
export interface TraceOptions {
  shapes: ShapeInference;
  /** Shape of each state array, by name; all float32. */
  state: Readonly<Record<string, { shape: readonly number[] }>>;
  owner?: (() => string | undefined) | undefined;
}

/**
 * Calls a function once on tensors without values and writes down the ops it asks for.
 *
 * @throws {CaptureError} where the call cannot become a graph.
 */
export function trace(fn: GraphFunction, signature: Signature, { shapes, state, owner }: TraceOptions): Recording {
  if (tf.getBackend() !== 'tensorflow') throw backendNotNative(tf.getBackend());
  const backend = tf.backend() as unknown as NodeBackend;
  const { binding } = backend;
  const { call } = signature;
  const variables = variableIds(backend);
  const recorder = createRecorder({
    binding,
    shapes,
    call,
    owner,
    onForeign(id, place) {
      const name = variables.get(id);
      if (name !== undefined) throw variableUsed(place, name, 'read');
    },
  });
  const restoreGather = gatherWithoutReading();
  const keeps = watchKeeps(owner);
  backend.binding = recorder.binding;
  const results: Pick<Recording, 'outputs' | 'state'> = { outputs: {}, state: {} };
  let thrown: unknown;
  try {
    tf.tidy(() => {
      const symbols = stateSymbols(backend, recorder, state);
      const given = { ...symbols };
      const result = fn(given, inputSymbols(backend, recorder, signature), signature.variants);
      Object.assign(results, collect(backend, recorder, { call, owner: owner?.() }, result, symbols, state));
    });
  } catch (error) {
    thrown = error;
  } finally {
    backend.binding = recorder.alive().length > 0 ? forgiving(binding, recorder) : binding;
    restoreGather();
    keeps.stop();
  }
  const failure = recorder.failure();
  const saysMore = thrown instanceof CaptureError && thrown.cause === failure;
  const problem = saysMore ? thrown : (failure ?? thrown);
  if (problem !== undefined) throw problem;
  refuseVariables(call, variables, variableIds(backend), (id) => recorder.ownerOf(id) ?? owner?.());
  refuseKept(call, recorder, keeps.left()[0]?.keeper);
  return { nodes: recorder.nodes, ...results };
}

/** Names of all `tf.Variable`s by tensor id. */
function variableIds(backend: NodeBackend): Map<number, string> {
  const variables = Object.values(tf.engine().registeredVariables);
  const ids = backend.getInputTensorIds(variables);
  return new Map(variables.map(({ name }, index) => [ids[index]!, name]));
}

function refuseVariables(
  call: string,
  before: ReadonlyMap<number, string>,
  after: ReadonlyMap<number, string>,
  ownerOf: (id: number) => string | undefined,
): void {
  const names = new Set(before.values());
  for (const [id, name] of after) {
    if (!before.has(id)) throw variableUsed({ call, owner: ownerOf(id) }, name, names.has(name) ? 'assigned' : 'made');
  }
}

function refuseKept(call: string, recorder: Recorder, keeper: string | undefined): void {
  const kept = recorder.alive();
  const [first] = kept;
  if (first === undefined) return;
  const owner = keeper ?? recorder.nodes[first.node]!.owner;
  throw tensorsKept({ call, owner }, kept.length, sourceOp(recorder.nodes, first));
}

/** After a leak: lets who kept a tensor without values dispose it later, in the eager step that takes over. */
function forgiving(binding: TensorFlowBinding, recorder: Recorder): TensorFlowBinding {
  const deleteTensor = (id: number): void => {
    if (!recorder.forget(id)) binding.deleteTensor(id);
  };
  return Object.create(binding, { deleteTensor: { value: deleteTensor } }) as TensorFlowBinding;
}

function stateSymbols(backend: NodeBackend, recorder: Recorder, state: TraceOptions['state']): NamedTensors {
  const symbols: NamedTensors = {};
  for (const [name, { shape }] of Object.entries(state)) {
    symbols[name] = backend.createOutputTensor(recorder.symbol({ kind: 'state', name }, { shape, dtype: DT.float32 }));
  }
  return symbols;
}

/** A `uint8` input is cast to float32 in the graph: tfjs has no such type. */
function inputSymbols(backend: NodeBackend, recorder: Recorder, { inputs }: Signature): NamedTensors {
  const symbols: NamedTensors = {};
  for (const [name, { shape, dtype }] of Object.entries(inputs)) {
    const fed = recorder.symbol({ kind: 'input', name }, { shape, dtype: DT[dtype] });
    if (dtype !== 'uint8') {
      symbols[name] = backend.createOutputTensor(fed);
      continue;
    }
    const type = recorder.binding.TF_ATTR_TYPE;
    const types = [
      { name: 'SrcT', type, value: DT.uint8 },
      { name: 'DstT', type, value: DT.float32 },
    ];
    symbols[name] = backend.createOutputTensor(recorder.binding.executeOp('Cast', types, [fed.id], 1)[0]!);
    recorder.binding.deleteTensor(fed.id);
  }
  return symbols;
}

function collect(
  backend: NodeBackend,
  recorder: Recorder,
  place: Place,
  result: ReturnType<GraphFunction>,
  before: NamedTensors,
  state: TraceOptions['state'],
): Pick<Recording, 'outputs' | 'state'> {
  if (result instanceof Promise) {
    throw badResult(place, 'result', '{ state, outputs }', 'a Promise; the function must be synchronous');
  }
  const endpoint = (tensor: tf.Tensor): Endpoint => recorder.endpoint(backend.getInputTensorIds([tensor])[0]!);
  const outputs: Record<string, Endpoint> = {};
  for (const [name, tensor] of Object.entries(result.outputs)) {
    checkTensor(place, `output ${JSON.stringify(name)}`, tensor, ['float32', 'int32', 'bool']);
    outputs[name] = endpoint(tensor.dtype === 'bool' ? tf.cast(tensor, 'int32') : tensor);
  }
  const next: Record<string, Endpoint> = {};
  for (const [name, tensor] of Object.entries(result.state)) {
    const what = `state ${JSON.stringify(name)}`;
    const declared = state[name];
    if (declared === undefined) throw badResult(place, what, 'a declared name', 'a new one');
    checkTensor(place, what, tensor, ['float32']);
    if (!sameShape(tensor, declared)) throw badResult(place, what, `shape [${declared.shape}]`, `[${tensor.shape}]`);
    if (tensor !== before[name]) next[name] = endpoint(tensor);
  }
  return { outputs, state: next };
}

function checkTensor(place: Place, what: string, tensor: tf.Tensor, dtypes: readonly string[]): void {
  if (!(tensor instanceof tf.Tensor)) throw badResult(place, what, 'a tensor', typeof tensor);
  if (!dtypes.includes(tensor.dtype)) throw badResult(place, what, `dtype ${dtypes.join(', ')}`, tensor.dtype);
}

const sameShape = (a: { shape: readonly number[] }, b: Pick<TensorSpec, 'shape'>): boolean =>
  a.shape.length === b.shape.length && a.shape.every((length, axis) => length === b.shape[axis]);

/**
 * tfjs-node's GatherV2 reads its indices back to check their range; the op does so itself.
 * Hands the kernel a backend on which there is nothing to check; returns what undoes it.
 */
function gatherWithoutReading(): () => void {
  const kernel = tf.getKernel('GatherV2', 'tensorflow') as { kernelFunc: tf.KernelFunc };
  const original = kernel.kernelFunc;
  kernel.kernelFunc = (parameters) => {
    const backend = Object.assign(Object.create(parameters.backend as object), { readSync: () => new Int32Array() });
    return original({ ...parameters, backend });
  };
  return () => {
    kernel.kernelFunc = original;
  };
}
