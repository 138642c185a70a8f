import type { Across } from '../backend/kernels/index.ts';
import { attribute, type NativeBackend } from '../backend/kernels/native-op.ts';
import { tf } from '../tf.ts';

/** Stands in a recording for what replicas that are recorded later will give; see `joinReplicas`. */
export const ACROSS = 'TailmixAcross';

/**
 * What a replica of a step has of the others, while the step is recorded: its calls are counted, and the k-th of each replica
 * belong together.
 *
 * @param replicas - R
 */
export function acrossReplicas(replicas: number): Across {
  let key = 0;
  return (own) => {
    const backend = tf.backend() as unknown as NativeBackend;
    const attributes = [
      attribute(backend, 'T', 'TYPE', backend.binding.TF_FLOAT),
      attribute(backend, 'key', 'INT', key++),
      attribute(backend, 'replicas', 'INT', replicas),
    ];
    return backend.executeMultipleOutputs(ACROSS, attributes, [own], 1)[0]!;
  };
}
