import { expect, test } from 'vitest';
import { CaptureError } from '../../src/graph/errors.ts';
import type { GraphFunction } from '../../src/graph/types.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { tf } from '../../src/tf.ts';
import { messageOfError } from '../support/message.ts';
import { bothEngines, describeNative, liveTensors, programOf } from './captured-support.ts';
import { byPlugin, call, giving, inputs, state, values } from './captured-vectors.ts';

/** Wrong results without an error come first: they are the ones that cost days. */
describeNative('silent: what a graph would freeze', (use) => {
  const capture = (y: Parameters<typeof giving>[0]) => () => {
    const { program, owner } = byPlugin(y);
    return createCapturedEngine(program, use(), { owner });
  };

  test('a host value that changes later is frozen until the engine is verified', async () => {
    let epoch = 1;
    const engines = bothEngines(
      giving((x) => x.mul(epoch)),
      use(),
    );
    engines.captured.verify();
    epoch = 2;
    const { eager, captured } = engines.run(call, values);
    expect(await messageOfError(() => engines.captured.verify())).toMatch(
      'feeds Mul was 1 in one recording and 2 in the next',
    );
    engines.dispose();
    expect([...eager.y!]).toEqual([2, 4, 6, 8]);
    expect([...captured.y!]).toEqual([1, 2, 3, 4]); // wanted: as above
  });

  test('random numbers of the host', async () => {
    expect(await messageOfError(capture((x) => x.add(tf.randomUniform([4]))))).toMatch(
      /^\[my-plugin] captured "step": expected host values that never change; a float32 \[4] that feeds Add was, at element 0, /,
    );
  });

  test('seeded random numbers are the same in every step, as in eager mode', () => {
    const engines = bothEngines(
      giving((x) => tf.dropout(x, 0.5, undefined, 3)),
      use(),
    );
    const first = engines.run(call, values);
    const second = engines.run(call, values);
    engines.dispose();
    expect(first.captured).toEqual(first.eager);
    expect(second.captured).toEqual(first.captured); // wanted: another mask, in both modes; draw it on the host
  });

  test('a tensor from outside is a constant', () => {
    let outside = tf.tensor1d([1, 2, 3, 4]);
    const engines = bothEngines(
      giving((x) => x.add(outside)),
      use(),
    );
    outside.dispose();
    outside = tf.tensor1d([5, 5, 5, 5]);
    const { eager, captured } = engines.run(call, values);
    engines.dispose();
    expect([...eager.y!]).toEqual([6, 7, 8, 9]);
    expect([...captured.y!]).toEqual([2, 4, 6, 8]); // wanted: as above
  });

  test('a tensor from outside lives on, before and after its first use', () => {
    const unused = tf.tensor1d([1, 2, 3, 4]);
    const computed = unused.add(1);
    const engine = createCapturedEngine(
      giving((x) => x.add(unused).add(computed)),
      use(),
    );
    expect([...engine.run(call, values).y!]).toEqual([4, 7, 10, 13]);
    engine.dispose();
    expect([...unused.dataSync(), ...computed.mul(1).dataSync()]).toEqual([1, 2, 3, 4, 2, 3, 4, 5]);
  });

  test('a tf.Variable', async () => {
    const variable = tf.variable(tf.tensor1d([1, 2, 3, 4]), true, 'average');
    const read = await messageOfError(capture((x) => x.add(variable)));
    expect(read).toMatchInlineSnapshot(
      `"[my-plugin] captured "step": expected no tf.Variable; "average" was read. A graph would keep its first value: make it an input, or state that the function returns."`,
    );
    variable.dispose();
    expect(await messageOfError(capture((x) => tf.variable(x.neg(), true, 'inner')))).toMatchInlineSnapshot(
      `"[my-plugin] captured "step": expected no tf.Variable; "inner" was made. A graph would keep its first value: make it an input, or state that the function returns."`,
    );
    tf.disposeVariables();
  });

  test('a tf.Variable that is assigned', async () => {
    const variable = tf.variable(tf.zeros([4]), true, 'average');
    const assign = (x: tf.Tensor) => {
      variable.assign(x.neg());
      return x;
    };
    expect(await messageOfError(capture(assign))).toMatchInlineSnapshot(
      `"[my-plugin] captured "step": expected no tf.Variable; "average" was assigned. A graph would keep its first value: make it an input, or state that the function returns."`,
    );
    tf.disposeVariables();
  });

  test('an index out of range is found by the op, not before it', async () => {
    const engine = createCapturedEngine(
      giving((x, n) => tf.gather(x, n)),
      use(),
      { owner: () => 'my-plugin' },
    );
    expect([...engine.run(call, { ...values, n: Int32Array.of(3, 0, 0, 3) }).y!]).toEqual([4, 1, 1, 4]);
    const failed = await messageOfError(() => engine.run(call, { ...values, n: Int32Array.of(0, 1, 2, 4) }));
    expect(failed).toMatch(/^\[my-plugin] captured "step": the graph failed: .*indices\[3] = 4 is not in \[0, 4\)/s);
    expect([...engine.run(call, values).y!]).toEqual([1, 2, 3, 4]);
    engine.dispose();
  });

  test('state that the function does not return stays', () => {
    const step: GraphFunction = ({ w }, { x }) => {
      w!.add(x!);
      return { state: {}, outputs: {} };
    };
    const engine = createCapturedEngine(programOf(step, inputs, state), use());
    engine.run(call, values);
    expect([...engine.read().w!]).toEqual([1, 1, 1, 1]);
    engine.dispose();
  });
});

describeNative('refused', (use) => {
  const capture = (y: Parameters<typeof giving>[0]) => () => {
    const { program, owner } = byPlugin(y);
    return createCapturedEngine(program, use(), { owner });
  };

  test('reading a tensor back', async () => {
    const read = (x: tf.Tensor) => x.mul(x.dataSync()[0]!);
    expect(await messageOfError(capture(read))).toMatchInlineSnapshot(
      `"[my-plugin] captured "step": expected no tensor to be read while the step is recorded; got a read of a float32 [4], which has no value yet. Keep the arithmetic in tensors, or move the decision to the host and pass its result as an input."`,
    );
    expect(await messageOfError(capture((x) => x.mul(x.add(1).max().arraySync() as number)))).toMatchInlineSnapshot(
      `"[my-plugin] captured "step": expected no tensor to be read while the step is recorded; got a read of a float32 [], which has no value yet. Keep the arithmetic in tensors, or move the decision to the host and pass its result as an input."`,
    );
  });

  test('reading back, where the error is swallowed', async () => {
    const swallowed = (x: tf.Tensor) => {
      try {
        x.dataSync();
      } catch {}
      return x;
    };
    expect(await messageOfError(capture(swallowed))).toMatch('expected no tensor to be read');
    const later = (x: tf.Tensor) => {
      x.data().catch(() => undefined);
      return x;
    };
    expect(await messageOfError(capture(later))).toMatch('expected no tensor to be read');
  });

  test('reading a constant back is harmless', () => {
    const engine = capture((x) =>
      x.mul(tf.scalar(3).add(0).dataSync === undefined ? 0 : tf.scalar(3).dataSync()[0]!),
    )();
    expect([...engine.run(call, values).y!]).toEqual([3, 6, 9, 12]);
    engine.dispose();
  });

  test('ops that keep state', async () => {
    const draw = (x: tf.Tensor) => tf.multinomial(x as tf.Tensor1D, 4, 7).toFloat();
    expect(await messageOfError(capture(draw))).toMatchInlineSnapshot(
      `"[my-plugin] captured "step": expected ops whose result depends on their inputs alone; got Multinomial. Draw random numbers on the host or with a stateless op whose seed is an input, or use the eager step."`,
    );
  });

  test('ops whose output shape depends on values', async () => {
    expect(await messageOfError(capture((x) => tf.unique(x).values))).toMatchInlineSnapshot(
      `"[my-plugin] captured "step": expected ops whose output shape follows from the shapes of their inputs; got UniqueV2. Mask instead of selecting, or use the eager step."`,
    );
  });

  test('ops that fail', async () => {
    const broadcast = (x: tf.Tensor) => {
      const backend = tf.backend() as unknown as { executeSingleOutput(...call: unknown[]): tf.Tensor };
      return backend.executeSingleOutput('BroadcastTo', [], [x, tf.tensor1d([3], 'int32')]);
    };
    expect(await messageOfError(capture(broadcast))).toMatchInlineSnapshot(`
      "[my-plugin] captured "step": BroadcastTo does not run: Invalid TF_Status: 3
      Message: Incompatible shapes: [4] vs. [3]"
    `);
  });

  test('tensors that are kept', async () => {
    const kept: tf.Tensor[] = [];
    const keep = (x: tf.Tensor) => {
      const y = tf.keep(x.square());
      kept.push(y);
      return y;
    };
    expect(await messageOfError(capture(keep))).toMatchInlineSnapshot(
      `"[my-plugin] captured "step": expected every tensor to be gone after the call; 1 stayed, the first from Square. Drop the tf.keep, or return the tensor as state."`,
    );
    expect(await messageOfError(capture((x) => x.add(kept[0]!)))).toMatchInlineSnapshot(
      `"[my-plugin] captured "step": expected tensors of this call; Add got one that was kept from an earlier recording. Make tensors inside the function, and keep host values only."`,
    );
    for (const tensor of kept) tensor.dispose();
  });

  test('results that do not fit', async () => {
    const make = (fn: GraphFunction) => messageOfError(() => createCapturedEngine(programOf(fn, inputs, state), use()));
    expect(await make((async () => ({ state: {}, outputs: {} })) as never)).toMatchInlineSnapshot(
      `"captured "step": result: expected { state, outputs }, got a Promise; the function must be synchronous."`,
    );
    expect(await make((_, { x }) => ({ state: { w: x!.reshape([2, 2]) }, outputs: {} }))).toMatchInlineSnapshot(
      `"captured "step": state "w": expected shape [4], got [2,2]."`,
    );
    expect(await make((_, { x }) => ({ state: { v: x! }, outputs: {} }))).toMatchInlineSnapshot(
      `"captured "step": state "v": expected a declared name, got a new one."`,
    );
    expect(await make((_, { n }) => ({ state: { w: n! }, outputs: {} }))).toMatchInlineSnapshot(
      `"captured "step": state "w": expected dtype float32, got int32."`,
    );
    expect(await make(() => ({ state: {}, outputs: { y: 3 as never } }))).toMatchInlineSnapshot(
      `"captured "step": output "y": expected a tensor, got number."`,
    );
    expect(await make(() => ({ state: {}, outputs: { y: tf.tensor1d(['a']) } }))).toMatchInlineSnapshot(
      `"captured "step": output "y": expected dtype float32, int32, bool, got string."`,
    );
  });

  test('another backend', async () => {
    const wasm = { name: 'wasm', tensorflow: null, threads: 1, reason: '' } as const;
    expect(
      await messageOfError(() =>
        createCapturedEngine(
          giving((x) => x),
          wasm,
        ),
      ),
    ).toMatchInlineSnapshot(
      `"captured step: expected the backend "tensorflow", got "wasm". Use the eager step on it."`,
    );
  });

  test('errors are CaptureErrors with op and plugin, and leave nothing behind', () => {
    const before = liveTensors(use());
    let caught: unknown;
    try {
      capture((x) => x.add(tf.multinomial(x as tf.Tensor1D, 4, 7)))();
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(CaptureError);
    expect(caught).toMatchObject({ code: 'CAPTURE_OP', op: 'Multinomial', plugin: 'my-plugin' });
    expect(liveTensors(use())).toEqual(before);
    expect([...tf.add(1, 2).dataSync()]).toEqual([3]);
  });
});
