import type { Backend } from '../backend/load.ts';
import type { NamedTensors } from '../tf.ts';
import { type GraphOptions, type OpenGraph, openGraph } from './open-graph.ts';
import type { GraphProgram, HostArray, HostOutputs, Signature } from './types.ts';

/** A tensor function: new state and outputs from state and inputs, by name. State that it does not return stays. */
export type TensorFunction = (
  state: NamedTensors,
  inputs: NamedTensors,
) => { state?: NamedTensors; outputs: NamedTensors };

/** A function that runs as one TensorFlow graph and keeps its state there. */
export interface CapturedFunction extends Omit<OpenGraph, 'run'> {
  /** Feeds host arrays, runs the graph, returns host arrays. */
  run(inputs: Readonly<Record<string, HostArray>>): HostOutputs;
}

/**
 * `tf.function` for TensorFlow.js: records `fn` and replays it as one TensorFlow graph. It needs the native backend
 * (`loadBackend('native')`).
 *
 * @example
 * const descend = capture(
 *   ({ w }, { x }) => ({ state: { w: w.sub(x.mul(0.1)) }, outputs: { norm: w.norm() } }),
 *   backend,
 *   { inputs: { x: { shape: [3], dtype: 'float32' } }, state: { w: { shape: [3], values: new Float32Array(3) } } },
 * );
 * descend.run({ x: Float32Array.of(1, 2, 3) }).norm;
 * @param specs - shape and dtype of each input; shape and initial values of each state array (float32, default none);
 *   `rehearse` and `owner` as in {@link GraphOptions}.
 * @throws {CaptureError} if the function cannot become a graph.
 */
export function capture(
  fn: TensorFunction,
  backend: Backend,
  { inputs, state = {}, ...options }: Pick<Signature, 'inputs'> & Partial<Pick<GraphProgram, 'state'>> & GraphOptions,
): CapturedFunction {
  const signature: Signature = { call: fn.name || 'captured', variants: {}, inputs };
  const functions: GraphProgram['functions'] = {
    [signature.call]: (before, given) => ({ state: {}, ...fn(before, given) }),
  };
  const graph = openGraph({ functions, state, signatures: [signature] }, backend, options);
  return { ...graph, run: (given) => graph.run(signature, given) };
}
