import { tf } from '../../tf.ts';
import { supplyKernel } from './registry.ts';
import { supplyWasmBatchNorm } from './wasm-batch-norm.ts';
import { supplyWasmConvolutions } from './wasm-convolution.ts';

interface RefCounting {
  incRef(dataId: object): void;
}

/**
 * Kernels of the backend `wasm` that tfjs lacks, has slow, or has wrong: convolution gradients, batch norm, the sum
 * behind the gradient of `gather`, clones that copy, and `oneHot` in float32, which stores the bits of integers.
 */
export function supplyWasmKernels(): void {
  supplyWasmConvolutions();
  supplyWasmBatchNorm();
  supplyKernel<object, RefCounting>('wasm', 'Identity', ({ x }, _, backend) => {
    const { dataId, shape, dtype } = x!;
    backend.incRef(dataId);
    return { dataId, shape, dtype };
  });
  supplyKernel<{ numSegments: number }>('wasm', 'UnsortedSegmentSum', ({ x, segmentIds }, { numSegments }) =>
    tf.tidy(() => {
      const [rows = 0, ...rest] = x!.shape;
      const member = tf
        .oneHot(segmentIds as tf.Tensor1D, numSegments)
        .cast('float32')
        .transpose();
      return tf.matMul(member, x!.reshape([rows, -1])).reshape([numSegments, ...rest]);
    }),
  );
  supplyKernel<{ dtype: tf.DataType; depth: number; onValue: number; offValue: number }>(
    'wasm',
    'OneHot',
    ({ indices }, { dtype, depth, onValue, offValue }) =>
      tf.tidy(() => {
        const member = tf.oneHot(indices!, depth).cast('float32');
        return member
          .mul(onValue - offValue)
          .add(offValue)
          .cast(dtype);
      }),
    ({ dtype }) => dtype !== 'int32',
  );
}
