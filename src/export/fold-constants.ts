import type { TensorFlowBinding } from '../backend/binding.ts';
import {
  type ConstantNode,
  DT,
  dropUnused,
  type OpNode,
  type RecordedNode,
  type Recording,
  rebuild,
  toBinding,
} from '../graph/index.ts';
import { sizeOf } from '../util/shape.ts';

/** Constants that are computed may not be longer than what they are computed from by more than this. */
const GROWTH_BYTES = 2 ** 20;

/** Bytes of a typed array, in memory of their own. */
export const bytesOf = (values: ArrayBufferView): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));

/** Values of a constant of float32, int32, or bool and uint8. */
export function valuesOf({ value, outputs }: ConstantNode): Float32Array | Int32Array | Uint8Array {
  const bytes = value as Uint8Array<ArrayBuffer>;
  const { dtype } = outputs[0]!;
  if (dtype === DT.float32) return new Float32Array(bytes.buffer);
  return dtype === DT.int32 ? new Int32Array(bytes.buffer) : bytes;
}

const FOLDED: ReadonlySet<number> = new Set([DT.float32, DT.int32, DT.bool]);

/** Computes once what depends on constants alone. */
export function foldConstants(recording: Recording, binding: TensorFlowBinding): Recording {
  return dropUnused(
    rebuild(recording, (node, _, keep, kept) => keep(isFoldable(node, kept) ? compute(node, kept, binding) : node)),
  );
}

function isFoldable(node: RecordedNode, kept: readonly RecordedNode[]): node is OpNode {
  if (node.kind !== 'op' || node.inputs.length === 0 || node.outputs.length !== 1) return false;
  const sources = node.inputs.map((input) => kept[input.node]!);
  if (!sources.every(({ kind }) => kind === 'constant')) return false;
  const all = [...node.outputs, ...sources.flatMap(({ outputs }) => outputs)];
  const before = sources.reduce((sum, { outputs }) => sum + sizeOf(outputs[0]!.shape), 0);
  return all.every(({ dtype }) => FOLDED.has(dtype)) && 4 * (sizeOf(node.outputs[0]!.shape) - before) <= GROWTH_BYTES;
}

function compute(node: OpNode, kept: readonly RecordedNode[], binding: TensorFlowBinding): ConstantNode {
  const attributes = Object.entries(node.attributes).flatMap(([name, value]) => toBinding(binding, name, value));
  const made: number[] = [];
  try {
    for (const { node: from } of node.inputs) {
      const source = kept[from] as ConstantNode;
      const { shape, dtype } = source.outputs[0]!;
      made.push(binding.createTensor([...shape], dtype, valuesOf(source)));
    }
    const [result] = binding.executeOp(node.op, attributes, made, 1);
    made.push(result!.id);
    const value = bytesOf(binding.tensorDataSync(result!.id) as Float32Array);
    return {
      kind: 'constant',
      outputs: node.outputs,
      value,
      ...(node.owner === undefined ? {} : { owner: node.owner }),
    };
  } finally {
    for (const id of made) binding.deleteTensor(id);
  }
}
