import { tf } from '../../tf.ts';
import { geluGradient } from './activation.ts';
import { batchNormGradients } from './batch-norm.ts';
import { groupedConvolutionGradient } from './grouped-convolution.ts';
import { layerNormGradient } from './layer-norm.ts';
import { supplyNativeKernels } from './native.ts';
import { supplyWasmKernels } from './wasm.ts';

export { addRelu, gelu, relu } from './activation.ts';
export { batchNorm } from './batch-norm.ts';
export { softmaxCrossEntropy } from './cross-entropy.ts';
export { groupedConvolution } from './grouped-convolution.ts';
export { layerNorm } from './layer-norm.ts';
export { oneHot } from './one-hot.ts';
export { globalAverage } from './pooling.ts';
export { statelessUniform } from './random.ts';
export { customGradient, withStandardOps } from './registry.ts';
export { decayed, sgdStep } from './sgd.ts';
export { softmax } from './softmax.ts';
export type { Across } from './synced-batch-norm.ts';

const supply: Readonly<Record<string, () => void>> = { tensorflow: supplyNativeKernels, wasm: supplyWasmKernels };

const supplied = new Set<string>();

/**
 * Registers the kernels that the backend in use lacks or has slow. Call it once the backend is ready, after which
 * tfjs's own `conv2d`, `gather` and so on have their gradients there too. Calls after the first do nothing.
 */
export function supplyKernels(): void {
  const name = tf.getBackend();
  if (supplied.has(name)) return;
  if (supplied.size === 0)
    for (const gradient of [...batchNormGradients, groupedConvolutionGradient, layerNormGradient, geluGradient])
      tf.registerGradient(gradient);
  supply[name]?.();
  supplied.add(name);
}
