import { expect, test } from 'vitest';
import { hoistFixed } from '../../src/graph/fixed.ts';
import { openGraph } from '../../src/graph/open-graph.ts';
import { mergeEqual } from '../../src/graph/prune.ts';
import { opOf, type Recording } from '../../src/graph/recording.ts';
import { createShapeInference } from '../../src/graph/shapes.ts';
import { trace } from '../../src/graph/trace.ts';
import type { GraphFunction, GraphProgram } from '../../src/graph/types.ts';
import { describeNative, signature, waves } from '../step/captured-support.ts';

const state: GraphProgram['state'] = waves({ kernel: [4, 3], gain: [3], head: [3] });

/** A scaled kernel that nothing trains, and a head that `train` does. */
const predict: GraphFunction = ({ kernel, gain, head }, { x }) => ({
  state: {},
  outputs: { y: x!.matMul(kernel!.mul(gain!)).mul(head!) },
});
const train: GraphFunction = (before, inputs) => {
  const { y } = predict(before, inputs, {}).outputs;
  return { state: { head: before.head!.sub(y!.mean(0)) }, outputs: { y: y! } };
};
const tune: GraphFunction = ({ gain }, { x }) => ({ state: { gain: gain!.add(x!.mean()) }, outputs: {} });

const inputs = { x: [[2, 4], 'float32'] } as const;
const predicting = signature('predict', inputs);
const training = signature('train', inputs);
const tuning = signature('tune', inputs);
const functions = { predict, train, tune };
const x = Float32Array.from({ length: 8 }, (_, i) => i / 4 - 1);

describeNative('fixed state', (use) => {
  const record = (...calls: (keyof typeof functions)[]): Recording[] => {
    const shapes = createShapeInference(use().binding!);
    return calls.map((call) => mergeEqual(trace(functions[call], signature(call, inputs), { shapes, state })));
  };
  const count = ({ nodes }: Recording, op: string): number => nodes.filter((node) => opOf(node) === op).length;
  const open = (...signatures: ReturnType<typeof signature>[]) => openGraph({ functions, state, signatures }, use());
  const expected = (kernel: Float32Array, gain: Float32Array, head: Float32Array): number[] =>
    Array.from({ length: 6 }, (_, i) => {
      const [row, column] = [Math.floor(i / 3), i % 3];
      let sum = 0;
      for (let k = 0; k < 4; k++) sum += x[row * 4 + k]! * Math.fround(kernel[k * 3 + column]! * gain[column]!);
      return sum * head[column]!;
    });
  const expectClose = (found: unknown, wanted: readonly number[]): void => {
    for (const [i, value] of [...(found as Float32Array)].entries()) expect(value).toBeCloseTo(wanted[i]!, 5);
  };
  const first = Object.fromEntries(Object.entries(state).map(([name, { values }]) => [name, values]));

  test('what depends on it alone leaves the calls, once for all of them; the rest stays', () => {
    const before = record('predict', 'train');
    const { recordings, preparation } = hoistFixed(before);
    expect(before.map((one) => count(one, 'Mul'))).toEqual([2, 2]);
    expect(recordings.map((one) => count(one, 'Mul'))).toEqual([1, 1]);
    expect(Object.keys(preparation!.state)).toHaveLength(1);
    expect(count(preparation!, 'Mul')).toBe(1);
    expect(preparation!.nodes.filter(({ kind }) => kind === 'input')).toEqual([]);
  });

  test('is no longer fixed where one call replaces it', () => {
    const before = record('predict', 'tune');
    expect(hoistFixed(before)).toEqual({ recordings: before, preparation: undefined });
  });

  test('another shape of the same memory is not held a second time', () => {
    const shapes = createShapeInference(use().binding!);
    const flat: GraphFunction = ({ kernel }, { x: rows }) => ({
      state: {},
      outputs: {
        y: rows!
          .reshape([8])
          .sum()
          .mul(kernel!.reshape([12])),
      },
    });
    const recording = mergeEqual(trace(flat, predicting, { shapes, state }));
    expect(hoistFixed([recording]).preparation).toBeUndefined();
  });

  test('is computed again when the host writes it, and not when a call replaces other state', () => {
    const graph = open(predicting, training);
    expectClose(graph.run(predicting, { x }).y, expected(first.kernel!, first.gain!, first.head!));
    graph.run(training, { x });
    const { head } = graph.read(['head']);
    expect(head).not.toEqual(first.head);
    expectClose(graph.run(predicting, { x }).y, expected(first.kernel!, first.gain!, head!));
    const gain = Float32Array.of(2, -1, 0.5);
    graph.write({ gain });
    expect(graph.read(['gain']).gain).toEqual(gain);
    expectClose(graph.run(predicting, { x }).y, expected(first.kernel!, gain, head!));
    graph.dispose();
  });

  test('a call that was not foreseen may replace it', () => {
    const graph = open(predicting);
    const before = graph.run(predicting, { x }).y;
    graph.run(tuning, { x });
    const { gain } = graph.read(['gain']);
    expect(gain).not.toEqual(first.gain);
    const after = graph.run(predicting, { x }).y;
    expect(after).not.toEqual(before);
    expectClose(after, expected(first.kernel!, gain!, first.head!));
    graph.dispose();
  });
});
