import type { NamedTensors } from '../tf.ts';

/** Data handed to a graph by the host. */
export type HostArray = Float32Array | Int32Array | Uint8Array;

/** Host arrays by output name; a scalar is an array of one. */
export type HostOutputs = Record<string, Float32Array | Int32Array>;

/** Element type of an input. `uint8` reaches the function as float32 in 0…255. */
export type InputDtype = 'float32' | 'int32' | 'uint8';

/** One way a function is called: every shape and variant is fixed. */
export interface Signature {
  /** Key of {@link GraphProgram.functions}. */
  call: string;
  variants: Readonly<Record<string, string>>;
  /** By input name, all dimensions numbers. `rows`: the first one counts rows, of which several devices may have a part each. */
  inputs: Readonly<Record<string, { shape: readonly number[]; dtype: InputDtype; rows?: boolean }>>;
  /**
   * The function takes one of so many parts of each input with `rows`, each on a device of its own, and collectives join what they
   * compute. Default 1: it takes the whole.
   */
  parts?: number;
}

/** A pure function over named tensors; state that it does not return is unchanged. */
export type GraphFunction = (
  state: NamedTensors,
  inputs: NamedTensors,
  variants: Readonly<Record<string, string>>,
) => {
  state: NamedTensors;
  outputs: NamedTensors;
};

/** Functions, the state they share, and the signatures that are known in advance. */
export interface GraphProgram {
  functions: Readonly<Record<string, GraphFunction>>;
  /**
   * Initial state by name, float32; `values` may be computed at each access, so that nothing keeps them, or be someone's own:
   * they are read only.
   */
  state: Readonly<Record<string, { shape: readonly number[]; values: Float32Array }>>;
  /** Known before the first call, so that they can be prepared together. */
  signatures: readonly Signature[];
}
