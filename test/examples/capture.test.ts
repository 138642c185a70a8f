import { expect, test } from 'vitest';
import { fitLine } from '../../examples/capture.ts';
import { describeNative } from '../step/captured-support.ts';

describeNative('examples/capture.ts', () => {
  test('finds the line that points lie on', async () => {
    const x = Float32Array.of(-1, -0.5, 0, 0.5, 1);
    const { slope, offset } = await fitLine(
      x,
      x.map((value) => 3 * value - 2),
    );
    expect(slope).toBeCloseTo(3, 4);
    expect(offset).toBeCloseTo(-2, 4);
  });
});
