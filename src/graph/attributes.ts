import type { OpAttribute, TensorFlowBinding } from '../backend/binding.ts';
import type { Attribute } from './recording.ts';

/** Reads an attribute as tfjs's kernels write it for the binding. */
export function fromBinding(binding: TensorFlowBinding, { type, value }: OpAttribute): Attribute {
  switch (type) {
    case binding.TF_ATTR_STRING:
      return { kind: 'string', value: value as string };
    case binding.TF_ATTR_INT:
      return Array.isArray(value) ? { kind: 'ints', value: [...value] } : { kind: 'int', value: value as number };
    case binding.TF_ATTR_FLOAT:
      return Array.isArray(value) ? { kind: 'floats', value: [...value] } : { kind: 'float', value: value as number };
    case binding.TF_ATTR_BOOL:
      return Array.isArray(value) ? { kind: 'bools', value: [...value] } : { kind: 'bool', value: value as boolean };
    case binding.TF_ATTR_TYPE:
      return { kind: 'type', value: value as number };
    default:
      return { kind: 'shape', value: [...(value as number[])] };
  }
}

/** Writes an attribute for the binding; what the binding cannot take (lists of types) TensorFlow infers itself. */
export function toBinding(binding: TensorFlowBinding, name: string, { kind, value }: Attribute): OpAttribute[] {
  const types: Readonly<Record<Attribute['kind'], number | null>> = {
    string: binding.TF_ATTR_STRING,
    int: binding.TF_ATTR_INT,
    ints: binding.TF_ATTR_INT,
    float: binding.TF_ATTR_FLOAT,
    floats: binding.TF_ATTR_FLOAT,
    bool: binding.TF_ATTR_BOOL,
    bools: binding.TF_ATTR_BOOL,
    type: binding.TF_ATTR_TYPE,
    types: null,
    shape: binding.TF_ATTR_SHAPE,
  };
  const type = types[kind];
  return type === null ? [] : [{ name, type, value: value as OpAttribute['value'] }];
}
