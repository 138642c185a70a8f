import { numbersOf, type OpCall } from '../op-call.ts';

/** Paddings of the spatial axes, before and after. */
export type Paddings = readonly (readonly [number, number])[];

/** The lengths of the axes between batch and channels. */
export const spatial = (shape: readonly number[]): readonly number[] => shape.slice(1, -1);

/** An attribute of all axes, for the spatial ones; ones where there is none. */
export const wide = (call: OpCall, name: string, rank: number): readonly number[] => {
  const values = numbersOf(call, name);
  return values.length === 0 ? Array.from({ length: rank }, () => 1) : values.slice(1, -1);
};

/** A window op that strides over images. */
export interface Geometry {
  input: readonly number[];
  output: readonly number[];
  sizes: readonly number[];
  strides: readonly number[];
  dilations: readonly number[];
}

/** How far a window reaches beyond its first element. */
const reach = ({ sizes, dilations }: Geometry, axis: number): number => (sizes[axis]! - 1) * dilations[axis]!;

/** What TensorFlow puts around images: `SAME` puts the odd one behind. */
export function paddingsOf(call: OpCall, geometry: Geometry): Paddings {
  const padding = call.attributes.padding?.value;
  const explicit = numbersOf(call, 'explicit_paddings');
  return geometry.input.map((length, i): [number, number] => {
    if (padding === 'VALID') return [0, 0];
    if (padding === 'EXPLICIT') return [explicit[2 + 2 * i]!, explicit[3 + 2 * i]!];
    const total = Math.max(0, (geometry.output[i]! - 1) * geometry.strides[i]! + reach(geometry, i) + 1 - length);
    return [Math.floor(total / 2), total - Math.floor(total / 2)];
  });
}

/** Padding of the op that undoes a strided window: the input's lengths come out of it. */
export const undone = (geometry: Geometry, paddings: Paddings): Paddings =>
  geometry.input.map((length, i): [number, number] => {
    const low = reach(geometry, i) - paddings[i]![0];
    return [low, length + reach(geometry, i) - ((geometry.output[i]! - 1) * geometry.strides[i]! + 1) - low];
  });

/** Padding with which images, as large as they are, give a filter of these sizes when results stride over them. */
export const aroundFilter = (geometry: Geometry, paddings: Paddings): Paddings =>
  geometry.input.map((length, i): [number, number] => {
    const [low] = paddings[i]!;
    return [low, reach(geometry, i) + (geometry.output[i]! - 1) * geometry.strides[i]! + 1 - length - low];
  });
