import { expect, test } from 'vitest';
import type { GraphFunction } from '../../src/graph/types.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { tf } from '../../src/tf.ts';
import { messageOfError } from '../support/message.ts';
import { describeNative, programOf, signature } from './captured-support.ts';
import { call, giving, inputs, state, values } from './captured-vectors.ts';

describeNative('calls are checked', (use) => {
  test('inputs, state, signature, end of life', async () => {
    const engine = createCapturedEngine(
      giving((x, _, w) => x.mul(w)),
      use(),
    );
    const run = (given: object) => messageOfError(() => engine.run(call, given as never));
    expect(await run({ x: values.x })).toMatchInlineSnapshot(`"step step, input n: expected int32[4], got nothing."`);
    expect(await run({ ...values, x: Float64Array.of(1, 2, 3, 4) })).toMatchInlineSnapshot(
      `"step step, input x: expected float32[4], got Float64Array of 4."`,
    );
    expect(await run({ ...values, n: Int32Array.of(1) })).toMatchInlineSnapshot(
      `"step step, input n: expected int32[4], got Int32Array of 1."`,
    );
    expect(await run({ ...values, z: values.x })).toMatchInlineSnapshot(
      `"step step, input z: expected no such input, got 4 values."`,
    );
    expect(await messageOfError(() => engine.read(['v']))).toMatchInlineSnapshot(
      `"captured step, state "v": expected a declared name, got none."`,
    );
    expect(await messageOfError(() => engine.write({ v: values.x }))).toMatchInlineSnapshot(
      `"captured step, state "v": expected a declared name, got none."`,
    );
    expect(await messageOfError(() => engine.write({ w: Float32Array.of(1) }))).toMatchInlineSnapshot(
      `"captured step, state "w": expected a Float32Array of 4, got Float32Array of 1."`,
    );
    expect(await messageOfError(() => engine.run(signature('evaluate'), {}))).toMatchInlineSnapshot(
      `"captured step: expected a call of step; got "evaluate"."`,
    );
    expect([...engine.run(call, values).y!]).toEqual([1, 2, 3, 4]);
    engine.dispose();
    expect(await messageOfError(() => engine.run(call, values))).toMatchInlineSnapshot(
      `"captured step: expected a live engine, got one that was disposed. Create another."`,
    );
  });

  test('a signature that is refused leaves the engine as it was', async () => {
    const fn: GraphFunction = (_, { x }, { how }) => ({
      state: { w: x! },
      outputs: { y: how === 'bad' ? tf.unique(x!).values : x!.add(1) },
    });
    const engine = createCapturedEngine(programOf(fn, inputs, state), use());
    engine.run(call, values);
    expect(await messageOfError(() => engine.run(signature('step', inputs, { how: 'bad' }), values))).toMatch(
      'UniqueV2',
    );
    expect([...engine.read().w!]).toEqual([1, 2, 3, 4]);
    expect([...engine.run(signature('step', inputs, { how: 'good' }), values).y!]).toEqual([2, 3, 4, 5]);
    expect(engine.stats).toMatchObject({ signatures: 2, rebuilds: 1 });
    engine.dispose();
  });
});
