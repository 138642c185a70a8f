import { DT, dtypeName } from '../graph/index.ts';
import { sizeOf } from '../util/shape.ts';
import { typeUnknown } from './errors.ts';

/** Types that lowering needs and recordings lack; TensorFlow's numbers. */
export const UINT32 = 22;
export const UINT64 = 23;

interface ElementType {
  /** In MLIR. */
  name: string;
  /** `PJRT_Buffer_Type`. */
  pjrt: number;
  /** Bytes of an element. */
  width: number;
}

const TYPES: Readonly<Record<number, ElementType>> = {
  [DT.float32]: { name: 'f32', pjrt: 11, width: 4 },
  [DT.float64]: { name: 'f64', pjrt: 12, width: 8 },
  [DT.int32]: { name: 'i32', pjrt: 4, width: 4 },
  [DT.uint8]: { name: 'ui8', pjrt: 6, width: 1 },
  [DT.complex64]: { name: 'complex<f32>', pjrt: 14, width: 8 },
  [DT.int64]: { name: 'i64', pjrt: 5, width: 8 },
  [DT.bool]: { name: 'i1', pjrt: 1, width: 1 },
  [DT.bfloat16]: { name: 'bf16', pjrt: 13, width: 2 },
  [UINT32]: { name: 'ui32', pjrt: 8, width: 4 },
  [UINT64]: { name: 'ui64', pjrt: 9, width: 8 },
};

/** @throws {TailmixError} PJRT_TYPE for text and what else no device computes with. */
export function elementType(dtype: number): ElementType {
  const type = TYPES[dtype];
  if (type === undefined) throw typeUnknown(dtypeName(dtype));
  return type;
}

/** A tensor's type as MLIR writes it: `tensor<2x3xf32>`. */
export const tensorType = ({ shape, dtype }: { shape: readonly number[]; dtype: number }): string =>
  `tensor<${[...shape, elementType(dtype).name].join('x')}>`;

/** An array of the host for a tensor: outputs are float32 or int32, and bool comes as bytes. */
export function hostArray({
  shape,
  dtype,
}: {
  shape: readonly number[];
  dtype: number;
}): Float32Array | Int32Array | Uint8Array {
  const size = sizeOf(shape);
  if (dtype === DT.int32) return new Int32Array(size);
  return dtype === DT.bool || dtype === DT.uint8 ? new Uint8Array(size) : new Float32Array(size);
}
