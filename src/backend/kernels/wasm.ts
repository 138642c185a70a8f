import { tf } from '../../tf.ts';
import { supplyKernel } from './registry.ts';
import { supplyWasmBatchNorm } from './wasm-batch-norm.ts';
import { supplyWasmConvolutions } from './wasm-convolution.ts';

interface RefCounting {
  incRef(dataId: object): void;
}

interface MatMulAttributes {
  transposeA: boolean;
  transposeB: boolean;
}

/** With its last two axes swapped. */
const swapLast = (x: tf.Tensor): tf.Tensor => {
  const axes = x.shape.map((_, i) => i);
  return x.transpose([...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
};

/**
 * Kernels of the backend `wasm` that tfjs lacks, has slow, or has wrong: convolution gradients, batch norm, products of
 * transposed matrices (ten times quicker once they are really transposed), the sum behind the gradient of `gather`,
 * clones that copy, and `oneHot` in float32, which stores the bits of integers.
 */
export function supplyWasmKernels(): void {
  supplyWasmConvolutions();
  supplyWasmBatchNorm();
  supplyKernel<object, RefCounting>('wasm', 'Identity', ({ x }, _, backend) => {
    const { dataId, shape, dtype } = x!;
    backend.incRef(dataId);
    return { dataId, shape, dtype };
  });
  supplyKernel<MatMulAttributes>(
    'wasm',
    'BatchMatMul',
    ({ a, b }, { transposeA, transposeB }) =>
      tf.tidy(() => tf.matMul(transposeA ? swapLast(a!) : a!, transposeB ? swapLast(b!) : b!)),
    ({ transposeA, transposeB }) => transposeA || transposeB,
  );
  supplyKernel<{ numSegments: number }>('wasm', 'UnsortedSegmentSum', ({ x, segmentIds }, { numSegments }) =>
    tf.tidy(() => {
      const [rows = 0, ...rest] = x!.shape;
      const member = tf.oneHot(segmentIds!, numSegments).cast('float32').transpose();
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
