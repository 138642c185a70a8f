import { expect } from 'vitest';
import type { GraphProgram, HostOutputs } from '../../src/graph/types.ts';
import { ofRank, type tf } from '../../src/tf.ts';
import { programOf, relativeDistance, wave } from '../step/captured-support.ts';
import type { cases } from './op-cases.ts';

export const inputs = {
  x: [[2, 4, 4, 3], 'float32'],
  y: [[2, 4, 4, 3], 'float32'],
  v: [[6], 'float32'],
  n: [[6], 'int32'],
} as const;

export const values = {
  x: wave(96, 1),
  y: wave(96, 2),
  v: wave(6, 3),
  n: Int32Array.of(0, 2, 1, 3, 2, 0),
};

/** A program that calls one op case on {@link inputs}. */
export const programOfCase = (op: (typeof cases)[string]): GraphProgram =>
  programOf((_state, { x, y, v, n }) => {
    const given = {
      x: ofRank(x, 4),
      y: ofRank(y, 4),
      p: ofRank(x, 4).abs().add<tf.Tensor4D>(0.5),
      m: x!.slice([0, 0, 0, 0], [1, 1, 4, 3]).reshape<tf.Tensor2D>([4, 3]),
      v: ofRank(v, 1),
      n: ofRank(n, 1),
      b: n!.greater<tf.Tensor1D>(1),
    };
    const result = op(given);
    const outputs = (Array.isArray(result) ? result : [result]).map((tensor, i) => [`${i}`, tensor]);
    return { state: {}, outputs: Object.fromEntries(outputs) };
  }, inputs);

/** The same names, the same places that are not finite, and elsewhere numbers within a relative L2 distance. */
export function expectAlike(got: HostOutputs, expected: HostOutputs, within: number): void {
  expect(Object.keys(got)).toEqual(Object.keys(expected));
  for (const [name, array] of Object.entries(expected)) {
    const finite = Array.from(array, (value) => (Number.isFinite(value) ? value : 0));
    const gotFinite = Array.from(got[name]!, (value) => (Number.isFinite(value) ? value : 0));
    expect(Array.from(got[name]!, Number.isFinite)).toEqual(Array.from(array, Number.isFinite));
    if (finite.some((value) => value !== 0)) {
      expect(relativeDistance({ name: gotFinite }, { name: finite })).toBeLessThan(within);
    } else expect(gotFinite).toEqual(finite);
  }
}
