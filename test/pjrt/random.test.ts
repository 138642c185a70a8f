import { expect, test } from 'vitest';
import { statelessUniform } from '../../src/backend/kernels/index.ts';
import { openProgram } from '../../src/pjrt/index.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { programOf, signature } from '../step/captured-support.ts';
import { describeDevice } from './support.ts';

const inputs = { seed: [[2], 'int32'] } as const;

describeDevice('random numbers on a device', (use) => {
  test('are those of TensorFlow, to the bit', () => {
    const { backend, device } = use();
    const program = programOf(
      (_, { seed }) => ({ state: {}, outputs: { u: statelessUniform([37, 53], seed!) } }),
      inputs,
    );
    const [eager, opened] = [createEagerEngine(program), openProgram(program, backend, device)];
    const call = signature('step', inputs);
    const draws = [
      [1, 2],
      [-5, 7],
      [2147483647, -2147483648],
    ].map((pair) => {
      const seed = Int32Array.from(pair);
      const drawn = opened.run(call, { seed }).u!;
      expect(drawn).toEqual(eager.run(call, { seed }).u);
      return drawn[0];
    });
    expect(new Set(draws).size).toBe(3);
    opened.dispose();
  });
});
