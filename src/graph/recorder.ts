import type { OpAttribute, TensorFlowBinding, TensorMetadata } from '../backend/binding.ts';
import { fromBinding } from './attributes.ts';
import { nestedModel, opFailed, opNotPure, type Place, readBack, shapeNotFixed, staleTensor } from './errors.ts';
import { completeAttributes, isPure, isValueShaped } from './op-table.ts';
import { type Endpoint, opOf, type RecordedNode, specOf, type TensorSpec } from './recording.ts';
import type { ShapeInference } from './shapes.ts';

/** Symbolic tensors count down from here, so that no real tensor has their id. */
const FIRST_SYMBOLIC = 2 ** 31 - 1;
let nextSymbolic = FIRST_SYMBOLIC;

/** What a recording binding needs to know. */
export interface RecorderOptions {
  binding: TensorFlowBinding;
  shapes: ShapeInference;
  call: string;
  /** Asked at each node: the plugin that is building. */
  owner?: (() => string | undefined) | undefined;
  /** Called with each tensor that was made before the recording; throws if it must not be used. */
  onForeign(id: number, place: Place): void;
}

/** Stands in for the binding of tfjs-node and writes down what it is asked to do. */
export interface Recorder {
  binding: TensorFlowBinding;
  nodes: readonly RecordedNode[];
  /** Adds an input or a state node; tfjs sees a tensor without values. */
  symbol(node: { kind: 'input' | 'state'; name: string }, spec: TensorSpec): TensorMetadata;
  /** Where the tensor with this id comes from. */
  endpoint(id: number): Endpoint;
  /** The first refusal: rethrown even where the function swallowed it. */
  failure(): Error | undefined;
  /** Symbolic tensors that were not deleted. */
  alive(): Endpoint[];
  /** Deletes a symbolic tensor; false if the id is of another kind. */
  forget(id: number): boolean;
  /** Who was building when the op was recorded that gives this tensor. */
  ownerOf(id: number): string | undefined;
}

/** Records ops as nodes; only constants become real tensors, because they may outlive the recording. */
export function createRecorder({ binding, shapes, call, owner, onForeign }: RecorderOptions): Recorder {
  const nodes: RecordedNode[] = [];
  const endpoints = new Map<number, Endpoint>();
  const symbolic = new Set<number>();
  let failure: Error | undefined;

  const place = (): Place => ({ call, owner: owner?.() });
  const refuse = (error: Error): never => {
    failure ??= error;
    throw error;
  };

  function add(node: RecordedNode): number {
    const by = owner?.();
    nodes.push(by === undefined ? node : { ...node, owner: by });
    return nodes.length - 1;
  }

  function metadata(node: number): TensorMetadata[] {
    return nodes[node]!.outputs.map(({ shape, dtype }, output) => {
      const id = nextSymbolic--;
      endpoints.set(id, { node, output });
      symbolic.add(id);
      return { id, shape: [...shape], dtype };
    });
  }

  function constant(id: number, spec: TensorSpec, values: unknown): Endpoint {
    const value = ArrayBuffer.isView(values)
      ? Uint8Array.from(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
      : (values as Uint8Array[]).map((text) => Uint8Array.from(text));
    const endpoint = { node: add({ kind: 'constant', outputs: [spec], value }), output: 0 };
    endpoints.set(id, endpoint);
    return endpoint;
  }

  function foreign(id: number, op: string): Endpoint {
    if (id > nextSymbolic) return refuse(staleTensor(place(), op));
    try {
      onForeign(id, place());
    } catch (error) {
      refuse(error as Error);
    }
    const [copy] = binding.executeOp('Identity', [], [id], 1);
    const { shape, dtype } = copy!;
    const values = binding.tensorDataSync(copy!.id);
    binding.deleteTensor(copy!.id);
    return constant(id, { shape, dtype }, values);
  }

  function executeOp(op: string, given: OpAttribute[], ids: number[], outputs: number): TensorMetadata[] {
    if (!isPure(op)) refuse(opNotPure(place(), op));
    const inputs = ids.map((id) => endpoints.get(id) ?? foreign(id, op));
    const sources = inputs.map(({ node }, index) => {
      const source = nodes[node]!;
      const spec = specOf(nodes, inputs[index]!);
      return source.kind === 'constant' ? { ...spec, value: source.value } : spec;
    });
    if (isValueShaped(op) && sources.some((source) => !('value' in source))) refuse(shapeNotFixed(place(), op));
    const named = Object.fromEntries(given.map((attribute) => [attribute.name, fromBinding(binding, attribute)]));
    const attributes = completeAttributes(op, named, sources);
    let specs: TensorSpec[] = [];
    try {
      specs = shapes.infer(op, attributes, sources, outputs);
    } catch (error) {
      refuse(opFailed(place(), op, error));
    }
    return metadata(add({ kind: 'op', op, attributes, inputs, outputs: specs }));
  }

  const recording: Partial<TensorFlowBinding> = {
    createTensor(shape, dtype, values) {
      const id = binding.createTensor(shape, dtype, values);
      constant(id, { shape: [...shape], dtype }, values);
      return id;
    },
    deleteTensor(id) {
      if (!symbolic.delete(id)) binding.deleteTensor(id);
    },
    tensorDataSync(id) {
      const endpoint = endpoints.get(id);
      if (endpoint === undefined || nodes[endpoint.node]!.kind === 'constant') return binding.tensorDataSync(id);
      return refuse(readBack(place(), specOf(nodes, endpoint)));
    },
    executeOp,
    loadSavedModel: () => refuse(nestedModel(place())),
    runSavedModel: () => refuse(nestedModel(place())),
  };

  return {
    binding: Object.create(binding, Object.getOwnPropertyDescriptors(recording)) as TensorFlowBinding,
    nodes,
    symbol: ({ kind, name }, spec) => metadata(add({ kind, name, outputs: [spec] }))[0]!,
    endpoint: (id) => endpoints.get(id) ?? foreign(id, 'the result'),
    failure: () => failure,
    forget: (id) => symbolic.delete(id),
    ownerOf: (id) => nodes[endpoints.get(id)?.node ?? -1]?.owner,
    alive: () => [...symbolic].map((id) => endpoints.get(id)!),
  };
}

/** Op name behind an endpoint, for messages. */
export const sourceOp = (nodes: readonly RecordedNode[], { node }: Endpoint): string => opOf(nodes[node]!);
