import type { WeightSpec } from '../models/types.ts';
import { sizeOf } from '../util/shape.ts';
import type { SlotSpec } from './types.ts';

/** A slot of an update that begins with zeros. Default shape: a scalar. */
export const zeroSlot = (name: string, shape: readonly number[] = []): SlotSpec => ({
  name,
  shape,
  initial: () => new Float32Array(sizeOf(shape)),
});

/** A slot of an update that begins as a weight does, in its shape. */
export const copySlot = (name: string, { name: weight, shape }: Pick<WeightSpec, 'name' | 'shape'>): SlotSpec => ({
  name,
  shape,
  initial: (values) => values[weight]!,
});
