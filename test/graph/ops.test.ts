import { expect, test } from 'vitest';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { ofRank, type tf } from '../../src/tf.ts';
import { describeNative, programOf, relativeDistance, signature, wave } from '../step/captured-support.ts';
import { cases } from './op-cases.ts';

const inputs = {
  x: [[2, 4, 4, 3], 'float32'],
  y: [[2, 4, 4, 3], 'float32'],
  v: [[6], 'float32'],
  n: [[6], 'int32'],
} as const;
const values = {
  x: wave(96, 1),
  y: wave(96, 2),
  v: wave(6, 3),
  n: Int32Array.of(0, 2, 1, 3, 2, 0),
};

describeNative('ops', (use) => {
  test.each(Object.entries(cases))('%s', (_, op) => {
    const program = programOf((_state, { x, y, v, n }) => {
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
    const eager = createEagerEngine(program);
    const captured = createCapturedEngine(program, use());
    const expected = eager.run(signature('step', inputs), values);
    const got = captured.run(signature('step', inputs), values);
    captured.dispose();
    expect(Object.keys(got)).toEqual(Object.keys(expected));
    for (const [name, array] of Object.entries(expected)) {
      const finite = Array.from(array, (value) => (Number.isFinite(value) ? value : 0));
      const gotFinite = Array.from(got[name]!, (value) => (Number.isFinite(value) ? value : 0));
      expect(Array.from(got[name]!, Number.isFinite)).toEqual(Array.from(array, Number.isFinite));
      if (finite.some((value) => value !== 0)) {
        expect(relativeDistance({ name: gotFinite }, { name: finite })).toBeLessThan(1e-6);
      } else expect(gotFinite).toEqual(finite);
    }
  });
});
