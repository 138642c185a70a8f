import { expect, test } from 'vitest';
import { statelessUniform } from '../../src/backend/kernels/random.ts';
import { openGraph } from '../../src/graph/index.ts';
import { tf } from '../../src/tf.ts';
import { describeNative, programOf, signature } from '../step/captured-support.ts';
import { openFloat64 } from '../support/float64.ts';

describeNative('a program in float64', (use) => {
  test('has inputs and constants in float32, and computes and keeps the rest in float64', () => {
    const program = programOf(
      ({ w }, { x }) => {
        const next = w!.add(x!.div(3).mul(tf.tensor1d([0.1, 1, 10])));
        return { state: { w: next }, outputs: { root: next.sqrt(), most: next.argMax(), sum: next.sum() } };
      },
      { x: [[3], 'float32'] },
      { w: { shape: [3], values: Float32Array.of(0.1, 0.2, 0.3) } },
    );
    const opened = openFloat64(program, (wide, rewrite) => openGraph(wide, use(), { rewrite }));
    const x = Float32Array.of(0.7, 0.07, 7);
    const factors = Float32Array.of(0.1, 1, 10);
    let w = [...Float32Array.of(0.1, 0.2, 0.3)];
    for (let step = 0; step < 3; step++) {
      w = w.map((value, i) => value + (x[i]! / 3) * factors[i]!);
      const { root, most, sum } = opened.run(signature('step', { x: [[3], 'float32'] }), { x });
      for (const [i, value] of w.entries()) expect(Math.abs(root![i]! / Math.sqrt(value) - 1)).toBeLessThan(1e-14);
      expect(Math.abs(sum![0]! / (w[0]! + w[1]! + w[2]!) - 1)).toBeLessThan(1e-14);
      expect([...most!]).toEqual([2]);
    }
    const { w: kept, ...others } = opened.read();
    expect(others).toEqual({});
    for (const [i, value] of w.entries()) expect(Math.abs(kept![i]! / value - 1)).toBeLessThan(1e-14);
    opened.dispose();
  });

  test('random numbers are those of float32', () => {
    const program = programOf(
      (_, { seed }) => {
        const drawn = statelessUniform([4], seed!);
        return { state: {}, outputs: { drawn, third: drawn.div(3) } };
      },
      { seed: [[2], 'int32'] },
    );
    const call = [signature('step', { seed: [[2], 'int32'] }), { seed: Int32Array.of(1, 2) }] as const;
    const [narrow, wide] = [
      openGraph(program, use()),
      openFloat64(program, (given, rewrite) => openGraph(given, use(), { rewrite })),
    ];
    const { drawn } = narrow.run(...call);
    const found = wide.run(...call);
    expect([...found.drawn!]).toEqual([...drawn!]);
    for (const [i, value] of drawn!.entries()) expect(Math.abs(found.third![i]! / (value / 3) - 1)).toBeLessThan(1e-14);
    narrow.dispose();
    wide.dispose();
  });
});
