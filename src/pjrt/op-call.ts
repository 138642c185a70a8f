import type { OpNode, TensorSpec } from '../graph/index.ts';
import type { Builder, Value } from './builder.ts';

/** A node of a recording that is being lowered. */
export interface OpCall {
  op: string;
  inputs: readonly Value[];
  outputs: readonly TensorSpec[];
  attributes: OpNode['attributes'];
  /** What writes the program. */
  b: Builder;
  /** How exactly matrix products and convolutions of float32 are computed: `HIGHEST`, or `DEFAULT`, which is TF32 where a device has it. */
  precision: 'HIGHEST' | 'DEFAULT';
  /** Values of an input that the program must know when it is compiled: axes, shapes, paddings. */
  host(input: number): number[];
  /** Refuses this form of the op, naming it and its plugin. */
  refuse(why: string): never;
}

/** Writes a TensorFlow op in StableHLO; gives the node's outputs, or the first of them that anybody uses. */
export type Lowering = (call: OpCall) => readonly Value[];
export type Lowerings = Readonly<Record<string, Lowering>>;

export const numberOf = ({ attributes }: Pick<OpCall, 'attributes'>, name: string, otherwise = 0): number =>
  (attributes[name]?.value as number | undefined) ?? otherwise;
export const numbersOf = ({ attributes }: Pick<OpCall, 'attributes'>, name: string): readonly number[] =>
  (attributes[name]?.value as readonly number[] | undefined) ?? [];
export const flagOf = ({ attributes }: Pick<OpCall, 'attributes'>, name: string): boolean =>
  attributes[name]?.value === true;

/** Axes counted from the front, of a tensor of this rank. */
export const fromFront = (axes: readonly number[], rank: number): number[] =>
  axes.map((axis) => (axis < 0 ? axis + rank : axis));
