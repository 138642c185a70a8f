import { tf } from '../../tf.ts';

/** Backends of tfjs that tailmix supplies kernels for. */
export type KernelBackendName = 'tensorflow' | 'wasm';

export type Inputs = Record<string, tf.Tensor>;
/** Computes a kernel; what it makes on the way is its own to dispose. */
export type Kernel<Attributes, Backend> = (
  inputs: Inputs,
  attributes: Attributes,
  backend: Backend,
) => tf.TensorInfo | tf.TensorInfo[];

/** `tf.customGrad`, whose function gets the inputs, and what keeps tensors for the gradient. */
export const customGradient = (
  compute: (
    inputs: tf.Tensor[],
    save: tf.GradSaveFunc,
  ) => { value: tf.Tensor; gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor | tf.Tensor[] },
): ((...inputs: tf.Tensor[]) => tf.Tensor) =>
  tf.customGrad((...given) => compute(given.slice(0, -1) as tf.Tensor[], given.at(-1) as tf.GradSaveFunc));

let isStandard = false;

/** Whether the backend in use has a kernel: this is how every function here chooses its form. */
export const hasKernel = (name: string): boolean =>
  !(isStandard && name.startsWith('Tailmix')) && tf.getKernel(name, tf.getBackend()) != null;

/**
 * Runs a function whose layer norms, GELUs, softmaxes and batch norms use no custom op of tailmix: for graphs that
 * TensorFlow alone has to run.
 */
export function withStandardOps<Result>(compute: () => Result): Result {
  const before = isStandard;
  isStandard = true;
  try {
    return compute();
  } finally {
    isStandard = before;
  }
}

/** Runs a kernel of the backend in use; its gradient is the one registered under its name. */
export function runKernel(name: string, inputs: Inputs, attributes: Record<string, unknown> = {}): tf.Tensor[] {
  const outputs = tf.engine().runKernel<tf.Tensor | tf.Tensor[]>(name, inputs, attributes as never);
  return Array.isArray(outputs) ? outputs : [outputs];
}

/**
 * Registers a kernel, in the place of tfjs's own where there is one.
 *
 * @param replaces - tells by attributes and inputs of a call whether to take it or to leave it to the kernel before.
 */
export function supplyKernel<Attributes = object, Backend = unknown>(
  backendName: KernelBackendName,
  kernelName: string,
  kernel: Kernel<Attributes, Backend>,
  replaces: (attributes: Attributes, inputs: Inputs) => boolean = () => true,
): void {
  const original = tf.getKernel(kernelName, backendName)?.kernelFunc;
  if (original !== undefined) tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: (call) =>
      original !== undefined && !replaces(call.attrs as Attributes, call.inputs as unknown as Inputs)
        ? original(call)
        : kernel(call.inputs as unknown as Inputs, call.attrs as Attributes, call.backend as Backend),
  });
}
