import { expect, test } from 'vitest';
import { capture } from '../../src/graph/capture.ts';
import { describeNative } from '../step/captured-support.ts';

describeNative('capture', (use) => {
  test('a plain function runs as a graph and keeps its state', () => {
    const descend = capture(
      ({ w }, { x }) => ({ state: { w: w!.sub(x!.mul(0.5)) }, outputs: { before: w!, length: w!.norm() } }),
      use(),
      {
        inputs: { x: { shape: [2], dtype: 'float32' } },
        state: { w: { shape: [2], values: Float32Array.of(3, 4) } },
      },
    );
    const outputs = descend.run({ x: Float32Array.of(2, -2) });
    expect(outputs).toEqual({ before: Float32Array.of(3, 4), length: Float32Array.of(5) });
    expect(descend.read()).toEqual({ w: Float32Array.of(2, 5) });
    descend.write({ w: Float32Array.of(0, 1) });
    expect(descend.run({ x: new Float32Array(2) }).length).toEqual(Float32Array.of(1));
    expect(descend.stats).toMatchObject({ signatures: 1, runs: 2 });
    descend.dispose();
  });

  test('a function without state, named in errors', () => {
    const inputs = { x: { shape: [2], dtype: 'uint8' } } as const;
    function twice(_: object, { x }: Record<string, import('../../src/tf.ts').tf.Tensor>) {
      return { outputs: { y: x!.mul(2) } };
    }
    const captured = capture(twice, use(), { inputs });
    expect(captured.run({ x: Uint8Array.of(3, 200) }).y).toEqual(Float32Array.of(6, 400));
    captured.dispose();
    const read = capture.bind(null, (_, { x }) => ({ outputs: { y: x!.mul(x!.dataSync()[0]!) } }), use(), { inputs });
    expect(read).toThrow('captured "captured": expected no tensor to be read');
  });
});
