import type { OpAttribute, TensorFlowBinding } from '../backend/binding.ts';
import { toBinding } from './attributes.ts';
import { type Attribute, type ConstantNode, DT, type TensorSpec } from './recording.ts';
import { collectiveRules, type RuleInput, shapeRules } from './shape-rules.ts';

/** Tells what an op would give, without computing it more than once per combination of shapes. */
export interface ShapeInference {
  /** By rule if there is one, else by trial. */
  infer(
    op: string,
    attributes: Readonly<Record<string, Attribute>>,
    inputs: readonly RuleInput[],
    outputs: number,
  ): TensorSpec[];
  /** By trial: throws what TensorFlow says where the op does not run. */
  execute: ShapeInference['infer'];
}

/** Constants up to this size may decide a shape (axes, sizes, paddings) and are part of the key. */
const KEY_BYTES = 1024;

/**
 * Learns output shapes and types from TensorFlow itself: runs an op once on trial values (zeros, then ones where zeros
 * fail) and remembers the answer. A network repeats few combinations, so recording costs far less than a step.
 */
export function createShapeInference(binding: TensorFlowBinding): ShapeInference {
  const known = new Map<string, TensorSpec[]>();
  const execute: ShapeInference['infer'] = (op, named, inputs, outputs) => {
    const attributes = Object.entries(named).flatMap(([name, attribute]) => toBinding(binding, name, attribute));
    try {
      return run(binding, op, attributes, inputs, outputs, 0);
    } catch (error) {
      try {
        return run(binding, op, attributes, inputs, outputs, 1);
      } catch {
        throw error;
      }
    }
  };
  return {
    execute,
    infer(op, attributes, inputs, outputs) {
      const ruled = (shapeRules[op] ?? collectiveRules[op])?.(inputs, attributes);
      if (ruled) return ruled;
      const key = keyOf(op, attributes, inputs, outputs);
      const before = known.get(key);
      if (before !== undefined) return before;
      const specs = execute(op, attributes, inputs, outputs);
      known.set(key, specs);
      return specs;
    },
  };
}

function keyOf(
  op: string,
  attributes: Readonly<Record<string, Attribute>>,
  inputs: readonly RuleInput[],
  outputs: number,
): string {
  const tensors = inputs.map(({ shape, dtype, value }) => {
    const decides = value instanceof Uint8Array && value.length <= KEY_BYTES;
    return `${dtype}[${shape}]${decides ? Buffer.from(value).toString('latin1') : ''}`;
  });
  return JSON.stringify([op, outputs, attributes, tensors]);
}

function run(
  binding: TensorFlowBinding,
  op: string,
  attributes: OpAttribute[],
  inputs: readonly RuleInput[],
  outputs: number,
  fill: 0 | 1,
): TensorSpec[] {
  const trials: number[] = [];
  try {
    const ids = inputs.map((input) => {
      const id =
        input.value === undefined ? trialTensor(binding, input, fill) : constantTensor(binding, input, input.value);
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

/** @param value - the bytes of a tensor, as the binding takes them (int64 as pairs of int32), or strings. */
function constantTensor(
  binding: TensorFlowBinding,
  { shape, dtype }: TensorSpec,
  value: ConstantNode['value'],
): number {
  const views: Readonly<Record<number, (bytes: ArrayBuffer) => unknown>> = {
    [DT.float32]: (bytes) => new Float32Array(bytes),
    [DT.int32]: (bytes) => new Int32Array(bytes),
    [DT.int64]: (bytes) => new Int32Array(bytes),
  };
  const values = value instanceof Uint8Array ? (views[dtype]?.(value.buffer as ArrayBuffer) ?? value) : value;
  return binding.createTensor([...shape], dtype, values);
}

function trialTensor(binding: TensorFlowBinding, { shape, dtype }: TensorSpec, fill: 0 | 1): number {
  const sizes = binding.createTensor([shape.length], DT.int32, Int32Array.from(shape));
  const value = trialScalar(binding, dtype, fill);
  const [filled] = binding.executeOp('Fill', [], [sizes, value], 1);
  binding.deleteTensor(sizes);
  binding.deleteTensor(value);
  return filled!.id;
}

function trialScalar(binding: TensorFlowBinding, dtype: number, fill: 0 | 1): number {
  switch (dtype) {
    case DT.float32:
      return binding.createTensor([], dtype, Float32Array.of(fill));
    case DT.int32:
      return binding.createTensor([], dtype, Int32Array.of(fill));
    case DT.bool:
    case DT.uint8:
      return binding.createTensor([], dtype, Uint8Array.of(fill));
    case DT.string:
      return binding.createTensor([], dtype, [new Uint8Array()]);
    default: {
      const number = trialScalar(binding, DT.float32, fill);
      const destination = { name: 'DstT', type: binding.TF_ATTR_TYPE, value: dtype };
      const [cast] = binding.executeOp('Cast', [destination], [number], 1);
      binding.deleteTensor(number);
      return cast!.id;
    }
  }
}
