import { expect, test } from 'vitest';
import { openProgram } from '../../src/pjrt/index.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { cases } from '../graph/op-cases.ts';
import { expectAlike, inputs, programOfCase, values } from '../graph/op-program.ts';
import { signature } from '../step/captured-support.ts';
import { describeDevice } from './support.ts';

/** Cases that are refused, with the op that is not lowered. */
const refused: Readonly<Record<string, string>> = {
  cropAndResize: 'CropAndResize',
  'string: static regex replace': 'StaticRegexReplace',
};

describeDevice('ops on a device', (use) => {
  test.each(Object.entries(cases))('%s', (name, op) => {
    const { backend, device } = use();
    const program = programOfCase(op);
    const expected = createEagerEngine(program).run(signature('step', inputs), values);
    if (name in refused) {
      expect(() => openProgram(program, backend, device)).toThrow(
        `train.device: expected ops that are lowered for devices; ${refused[name]} is not`,
      );
      return;
    }
    const opened = openProgram(program, backend, device);
    const got = opened.run(signature('step', inputs), values);
    opened.dispose();
    expectAlike(got, expected, 1e-6);
  });
});
