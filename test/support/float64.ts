import { withStandardOps } from '../../src/backend/kernels/registry.ts';
import {
  type Attribute,
  DT,
  type Endpoint,
  type GraphFunction,
  type GraphOptions,
  type GraphProgram,
  type HostArray,
  mergeEqual,
  opOf,
  type RecordedNode,
  type Recording,
  rebuild,
  type Signature,
  specOf,
  toStandardConvolutions,
} from '../../src/graph/index.ts';
import { joinReplicas } from '../../src/step/captured/across.ts';
import { tf } from '../../src/tf.ts';
import { mapValues } from '../../src/util/map-values.ts';
import { sizeOf } from '../../src/util/shape.ts';

/** A program in float64: by it, rounding is told from a mistake. */
export interface Float64Program {
  run(signature: Signature, inputs: Readonly<Record<string, HostArray>>): Record<string, Float64Array>;
  read(): Record<string, Float64Array>;
  dispose(): void;
}

/** Opens a program with a rewrite of its recordings: `openGraph`, or `openProgram` on a device. */
type Open = (
  program: GraphProgram,
  rewrite: NonNullable<GraphOptions['rewrite']>,
) => {
  run(signature: Signature, inputs: Readonly<Record<string, HostArray>>): Record<string, ArrayLike<number>>;
  read(): Record<string, Float32Array>;
  dispose(): void;
};

/** What a float32 leaves of a float64: nothing outside a graph holds one, so state and outputs are sums of two float32. */
const LOW = '/low';

/** Opens a program that computes in float64. Between calls, and in what it gives, 48 bits of each value are kept. */
export function openFloat64(program: GraphProgram, open: Open): Float64Program {
  const low = Object.entries(program.state).map(([name, { shape }]) => {
    return [name + LOW, { shape, values: new Float32Array(sizeOf(shape)) }] as const;
  });
  const wide = { ...composed(program), state: { ...program.state, ...Object.fromEntries(low) } };
  const opened = open(wide, (recording) => mergeEqual(toFloat64(toPlainOps(recording))));
  return {
    run: (signature, inputs) => joined(opened.run(signature, inputs)),
    read: () => joined(opened.read()),
    dispose: () => opened.dispose(),
  };
}

const joined = (values: Readonly<Record<string, ArrayLike<number>>>): Record<string, Float64Array> =>
  Object.fromEntries(
    Object.entries(values)
      .filter(([name]) => !name.endsWith(LOW))
      .map(([name, high]) => [name, Float64Array.from(high, (value, i) => value + (values[name + LOW]?.[i] ?? 0))]),
  );

/** TensorFlow has these in float32 only; `hasKernel` leads to another form. */
const FLOAT32_ONLY = ['FusedBatchNormV3'];

/** The program without custom ops, but for convolutions, and without what is {@link FLOAT32_ONLY}. */
function composed(program: GraphProgram): GraphProgram {
  const without = <Result>(compute: () => Result): Result => {
    const kernels = FLOAT32_ONLY.map((name) => tf.getKernel(name, tf.getBackend())!);
    for (const { kernelName, backendName } of kernels) tf.unregisterKernel(kernelName, backendName);
    try {
      return withStandardOps(compute);
    } finally {
      for (const kernel of kernels) tf.registerKernel(kernel);
    }
  };
  const functions = mapValues(
    program.functions,
    (compute): GraphFunction =>
      (...given) =>
        without(() => compute(...given)),
  );
  return { ...program, functions };
}

const toPlainOps = (recording: Recording): Recording => mergeEqual(toStandardConvolutions(joinReplicas(recording)));

/**
 * Float64 in the place of float32. What is fed, and what an op makes of no floats (random numbers), is widened. Of state and
 * outputs there is a second part, its name with {@link LOW}.
 */
function toFloat64(recording: Recording): Recording {
  const wide = rebuild(recording, (node, _, keep, kept) => {
    const add: Add = (made) => ({ node: keep(made), output: 0 });
    if (node.kind === 'op' && node.inputs.some((from) => specOf(kept, from).dtype === DT.float64)) {
      return keep(widened(node));
    }
    if (!node.outputs.some(({ dtype }) => dtype === DT.float32)) return keep(node);
    if (node.outputs.length > 1)
      throw new Error(`float64: ${opOf(node)} makes float32 of none, and has several outputs`);
    if (node.kind === 'constant') {
      const values = new Float32Array(Uint8Array.from(node.value as Uint8Array).buffer);
      return keep({ ...widened(node), value: new Uint8Array(Float64Array.from(values).buffer) });
    }
    if (node.kind !== 'state') return cast(add, kept, add(node), DT.float64).node;
    const [high, low] = ['', LOW].map((part) => cast(add, kept, add({ ...node, name: node.name + part }), DT.float64));
    return combined(add, kept, 'AddV2', high!, low!).node;
  });
  const nodes = [...wide.nodes];
  const add: Add = (node) => ({ node: nodes.push(node) - 1, output: 0 });
  const inParts = (values: Readonly<Record<string, Endpoint>>): Record<string, Endpoint> =>
    Object.fromEntries(
      Object.entries(values).flatMap(([name, from]) => {
        if (specOf(nodes, from).dtype !== DT.float64) return [[name, from]];
        const high = cast(add, nodes, from, DT.float32);
        const rest = combined(add, nodes, 'Sub', from, cast(add, nodes, high, DT.float64));
        return [
          [name, high],
          [name + LOW, cast(add, nodes, rest, DT.float32)],
        ];
      }),
    );
  return { outputs: inParts(wide.outputs), state: inParts(wide.state), nodes };
}

type Add = (node: RecordedNode) => Endpoint;

function widened<Node extends RecordedNode>(node: Node): Node {
  const wider = (dtype: number): number => (dtype === DT.float32 ? DT.float64 : dtype);
  const outputs = node.outputs.map(({ shape, dtype }) => ({ shape, dtype: wider(dtype) }));
  if (node.kind !== 'op') return { ...node, outputs };
  const attributes = mapValues(node.attributes, (attribute): Attribute => {
    if (attribute.kind === 'type') return type(wider(attribute.value));
    return attribute.kind === 'types' ? { kind: 'types', value: attribute.value.map(wider) } : attribute;
  });
  return { ...node, attributes, outputs };
}

const type = (value: number): Attribute => ({ kind: 'type', value });

function cast(add: Add, nodes: readonly RecordedNode[], from: Endpoint, dtype: number): Endpoint {
  const before = specOf(nodes, from);
  const attributes = { SrcT: type(before.dtype), DstT: type(dtype), Truncate: { kind: 'bool', value: false } } as const;
  return add({ kind: 'op', op: 'Cast', attributes, inputs: [from], outputs: [{ shape: before.shape, dtype }] });
}

const combined = (add: Add, nodes: readonly RecordedNode[], op: string, a: Endpoint, b: Endpoint): Endpoint =>
  add({ kind: 'op', op, attributes: { T: type(DT.float64) }, inputs: [a, b], outputs: [specOf(nodes, a)] });
