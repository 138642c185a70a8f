import type { OpAttribute, TensorFlowBinding } from '../../backend/binding.ts';
import { DT, type TensorSpec } from './recording.ts';

/** An input of an op whose outputs are wanted: symbolic, or a real tensor with the bytes behind it. */
export interface ShapeInput extends TensorSpec {
  constant?: { id: number; value: Uint8Array | readonly Uint8Array[] };
}

/** Tells what an op would give, without computing it more than once per combination of shapes. */
export type InferOutputs = (
  op: string,
  attributes: OpAttribute[],
  inputs: readonly ShapeInput[],
  outputs: number,
) => TensorSpec[];

/** Constants up to this size may decide a shape (axes, sizes, paddings) and are part of the key. */
const KEY_BYTES = 1024;

/**
 * Learns output shapes and types from TensorFlow itself: runs an op once on trial values (zeros, then ones where zeros
 * fail) and remembers the answer. A network repeats few combinations, so recording costs far less than a step.
 */
export function createShapeInference(binding: TensorFlowBinding): InferOutputs {
  const known = new Map<string, TensorSpec[]>();
  return (op, attributes, inputs, outputs) => {
    const key = keyOf(op, attributes, inputs, outputs);
    const before = known.get(key);
    if (before !== undefined) return before;
    let specs: TensorSpec[];
    try {
      specs = execute(binding, op, attributes, inputs, outputs, 0);
    } catch (error) {
      try {
        specs = execute(binding, op, attributes, inputs, outputs, 1);
      } catch {
        throw error;
      }
    }
    known.set(key, specs);
    return specs;
  };
}

function keyOf(op: string, attributes: OpAttribute[], inputs: readonly ShapeInput[], outputs: number): string {
  const tensors = inputs.map(({ shape, dtype, constant }) => {
    const bytes = constant?.value instanceof Uint8Array ? constant.value : undefined;
    const decides = bytes !== undefined && bytes.length <= KEY_BYTES;
    return `${dtype}[${shape}]${decides ? Buffer.from(bytes).toString('latin1') : ''}`;
  });
  return JSON.stringify([op, outputs, attributes, tensors]);
}

function execute(
  binding: TensorFlowBinding,
  op: string,
  attributes: OpAttribute[],
  inputs: readonly ShapeInput[],
  outputs: number,
  fill: 0 | 1,
): TensorSpec[] {
  const trials: number[] = [];
  try {
    const ids = inputs.map((input) => {
      if (input.constant !== undefined) return input.constant.id;
      const id = trialTensor(binding, input, fill);
      trials.push(id);
      return id;
    });
    const results = binding.executeOp(op, attributes, ids, outputs);
    for (const { id } of results) trials.push(id);
    return results.map(({ shape, dtype }) => ({ shape, dtype }));
  } finally {
    for (const id of trials) binding.deleteTensor(id);
  }
}

function trialTensor(binding: TensorFlowBinding, { shape, dtype }: TensorSpec, fill: 0 | 1): number {
  const size = shape.reduce((product, length) => product * length, 1);
  const make = (type: number, values: unknown): number => binding.createTensor([...shape], type, values);
  switch (dtype) {
    case DT.float32:
      return make(dtype, new Float32Array(size).fill(fill));
    case DT.int32:
      return make(dtype, new Int32Array(size).fill(fill));
    case DT.bool:
    case DT.uint8:
      return make(dtype, new Uint8Array(size).fill(fill));
    case DT.string:
      return make(
        dtype,
        Array.from({ length: size }, () => new Uint8Array()),
      );
    default: {
      const floats = make(DT.float32, new Float32Array(size).fill(fill));
      const destination = { name: 'DstT', type: binding.TF_ATTR_TYPE, value: dtype };
      const [cast] = binding.executeOp('Cast', [destination], [floats], 1);
      binding.deleteTensor(floats);
      return cast!.id;
    }
  }
}
