import type { tf } from '../../tf.ts';
import type { OpAttribute, TensorFlowBinding } from '../binding.ts';

/** What tfjs-node's backend offers for running one TensorFlow op. */
export interface NativeBackend {
  binding: TensorFlowBinding;
  executeMultipleOutputs(op: string, attributes: OpAttribute[], inputs: tf.Tensor[], outputs: number): tf.Tensor[];
}

type AttributeType = 'TYPE' | 'INT' | 'FLOAT' | 'BOOL' | 'STRING';

/** An attribute of an op, as the binding takes it. */
export const attribute = (
  { binding }: NativeBackend,
  name: string,
  type: AttributeType,
  value: OpAttribute['value'],
): OpAttribute => ({ name, type: binding[`TF_ATTR_${type}`], value });

/** The attribute that says that a type is float32. */
export const float = (backend: NativeBackend, name: string): OpAttribute =>
  attribute(backend, name, 'TYPE', backend.binding.TF_FLOAT);
