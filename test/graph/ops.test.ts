import { test } from 'vitest';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { describeNative, signature } from '../step/captured-support.ts';
import { cases } from './op-cases.ts';
import { expectAlike, inputs, programOfCase, values } from './op-program.ts';

describeNative('ops', (use) => {
  test.each(Object.entries(cases))('%s', (_, op) => {
    const program = programOfCase(op);
    const eager = createEagerEngine(program);
    const captured = createCapturedEngine(program, use());
    const expected = eager.run(signature('step', inputs), values);
    const got = captured.run(signature('step', inputs), values);
    captured.dispose();
    expectAlike(got, expected, 1e-6);
  });
});
