import { expect, test } from 'vitest';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { CaptureError } from '../../src/step/captured/errors.ts';
import type { StepFunction } from '../../src/step/types.ts';
import { tf } from '../../src/tf.ts';
import { messageOf } from '../support/message.ts';
import { bothEngines, describeNative, liveTensors, programOf, signature } from './captured-support.ts';

const inputs = { x: [[4], 'float32'], n: [[4], 'int32'] } as const;
const call = signature('step', inputs);
const values = { x: Float32Array.of(1, 2, 3, 4), n: Int32Array.of(0, 1, 2, 3) };
const state = { w: { shape: [4], values: Float32Array.of(1, 1, 1, 1) } };

/** A program with one output `y`. */
const giving = (y: (x: tf.Tensor, n: tf.Tensor, w: tf.Tensor) => tf.Tensor) =>
  programOf(({ w }, { x, n }) => ({ state: {}, outputs: { y: y(x!, n!, w!) } }), inputs, state);

/** Wrong results without an error come first: they are the ones that cost days. */
describeNative('silent: what a graph would freeze', (use) => {
  const capture = (y: Parameters<typeof giving>[0], retrace?: () => void) => () =>
    createCapturedEngine(giving(y), use(), {
      owner: () => 'my-plugin',
      ...(retrace === undefined ? {} : { retrace }),
    });

  test('a host value that changes between steps is found when the caller changes it between recordings', () => {
    let epoch = 1;
    const y = (x: tf.Tensor) => x.mul(epoch / 10);
    expect(messageOf(capture(y, () => epoch++))).toMatchInlineSnapshot();
  });

  test('… and is frozen when nobody does', () => {
    let epoch = 1;
    const engines = bothEngines(
      giving((x) => x.mul(epoch)),
      use(),
    );
    epoch = 2;
    const { eager, captured } = engines.run(call, values);
    engines.dispose();
    expect([...eager.y!]).toEqual([2, 4, 6, 8]);
    expect([...captured.y!]).toEqual([1, 2, 3, 4]); // wanted: as above
  });

  test('one element of an array', () => {
    const weights = [0.25, 0.5, 0.75, 1];
    const y = (x: tf.Tensor) => x.mul(tf.tensor1d(weights));
    expect(messageOf(capture(y, () => weights.splice(2, 1, 0.125)))).toMatchInlineSnapshot();
  });

  test('a number that becomes an attribute', () => {
    let alpha = 0.1;
    expect(
      messageOf(
        capture(
          (x) => tf.leakyRelu(x, alpha),
          () => (alpha = 0.2),
        ),
      ),
    ).toMatchInlineSnapshot();
  });

  test('a branch on the host', () => {
    let deferred = true;
    const y = (x: tf.Tensor) => (deferred ? x.relu() : x.square());
    expect(messageOf(capture(y, () => (deferred = false)))).toMatchInlineSnapshot();
  });

  test('a result that comes from elsewhere', () => {
    let first = true;
    const y = (x: tf.Tensor) => [x.mul(2), x.mul(3)][first ? 0 : 1]!;
    expect(messageOf(capture(y, () => (first = false)))).toMatchInlineSnapshot();
  });

  test('random numbers of the host', () => {
    expect(messageOf(capture((x) => x.add(tf.randomUniform([4]))))).toMatch(
      /^\[my-plugin] captured "step": expected host values that never change; a float32 \[4] that feeds Add was element 0: /,
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
    const replace = () => {
      outside = tf.tensor1d([0, 0, 0, 1]);
    };
    expect(messageOf(capture((x) => x.add(outside), replace))).toMatchInlineSnapshot();
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

  test('a tf.Variable', () => {
    const variable = tf.variable(tf.tensor1d([1, 2, 3, 4]), true, 'average');
    const read = messageOf(capture((x) => x.add(variable)));
    expect(read).toMatchInlineSnapshot();
    variable.dispose();
    expect(messageOf(capture((x) => tf.variable(x, true, 'inner')))).toMatchInlineSnapshot();
    tf.disposeVariables();
  });

  test('a tf.Variable that is assigned', () => {
    const variable = tf.variable(tf.zeros([4]), true, 'average');
    const assign = (x: tf.Tensor) => {
      variable.assign(x as tf.Tensor1D);
      return x;
    };
    expect(messageOf(capture(assign))).toMatchInlineSnapshot();
    tf.disposeVariables();
  });

  test('an index out of range is found by the op, not before it', () => {
    const engine = createCapturedEngine(
      giving((x, n) => tf.gather(x, n)),
      use(),
      { owner: () => 'my-plugin' },
    );
    expect([...engine.run(call, { ...values, n: Int32Array.of(3, 0, 0, 3) }).y!]).toEqual([4, 1, 1, 4]);
    const failed = messageOf(() => engine.run(call, { ...values, n: Int32Array.of(0, 1, 2, 4) }));
    expect(failed).toMatch(/^\[my-plugin] captured "step": the graph failed: .*indices\[3] = 4 is not in \[0, 4\)/s);
    expect([...engine.run(call, values).y!]).toEqual([1, 2, 3, 4]);
    engine.dispose();
  });

  test('state that the function does not return stays', () => {
    const step: StepFunction = ({ w }, { x }) => {
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
  const capture = (y: Parameters<typeof giving>[0]) => () =>
    createCapturedEngine(giving(y), use(), { owner: () => 'my-plugin' });

  test('reading a tensor back', () => {
    const read = (x: tf.Tensor) => x.mul(x.dataSync()[0]!);
    expect(messageOf(capture(read))).toMatchInlineSnapshot();
    expect(messageOf(capture((x) => x.mul(x.add(1).max().arraySync() as number)))).toMatchInlineSnapshot();
  });

  test('reading back, where the error is swallowed', () => {
    const swallowed = (x: tf.Tensor) => {
      try {
        x.dataSync();
      } catch {}
      return x;
    };
    expect(messageOf(capture(swallowed))).toMatch('expected no tensor to be read');
    const later = (x: tf.Tensor) => {
      x.data().catch(() => undefined);
      return x;
    };
    expect(messageOf(capture(later))).toMatch('expected no tensor to be read');
  });

  test('reading a constant back is harmless', () => {
    const engine = capture((x) =>
      x.mul(tf.scalar(3).add(0).dataSync === undefined ? 0 : tf.scalar(3).dataSync()[0]!),
    )();
    expect([...engine.run(call, values).y!]).toEqual([3, 6, 9, 12]);
    engine.dispose();
  });

  test('ops that keep state', () => {
    const draw = (x: tf.Tensor) => tf.multinomial(x as tf.Tensor1D, 4, 7).toFloat();
    expect(messageOf(capture(draw))).toMatchInlineSnapshot();
  });

  test('ops whose output shape depends on values', () => {
    expect(messageOf(capture((x) => tf.unique(x).values))).toMatchInlineSnapshot();
  });

  test('ops that fail', () => {
    expect(messageOf(capture((x) => tf.fft(x.toFloat() as never)))).toMatch('complex64');
  });

  test('tensors that are kept', () => {
    const kept: tf.Tensor[] = [];
    const keep = (x: tf.Tensor) => {
      const y = tf.keep(x.square());
      kept.push(y);
      return y;
    };
    expect(messageOf(capture(keep))).toMatchInlineSnapshot();
    expect(messageOf(capture((x) => x.add(kept[0]!)))).toMatchInlineSnapshot();
    for (const tensor of kept) tensor.dispose();
  });

  test('results that do not fit', () => {
    const make = (fn: StepFunction) => messageOf(() => createCapturedEngine(programOf(fn, inputs, state), use()));
    expect(make((async () => ({ state: {}, outputs: {} })) as never)).toMatchInlineSnapshot();
    expect(make((_, { x }) => ({ state: { w: x!.reshape([2, 2]) }, outputs: {} }))).toMatchInlineSnapshot();
    expect(make((_, { x }) => ({ state: { v: x! }, outputs: {} }))).toMatchInlineSnapshot();
    expect(make((_, { n }) => ({ state: { w: n! }, outputs: {} }))).toMatchInlineSnapshot();
    expect(make(() => ({ state: {}, outputs: { y: 3 as never } }))).toMatchInlineSnapshot();
    expect(make(() => ({ state: {}, outputs: { y: tf.tensor1d(['a']) } }))).toMatchInlineSnapshot();
  });

  test('another backend', () => {
    const wasm = { name: 'wasm', tensorflow: null, threads: 1, reason: '' } as const;
    expect(
      messageOf(() =>
        createCapturedEngine(
          giving((x) => x),
          wasm,
        ),
      ),
    ).toMatchInlineSnapshot();
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

describeNative('calls are checked', (use) => {
  test('inputs, state, signature, end of life', () => {
    const engine = createCapturedEngine(
      giving((x, _, w) => x.mul(w)),
      use(),
    );
    const run = (given: object) => messageOf(() => engine.run(call, given as never));
    expect(run({ x: values.x })).toMatchInlineSnapshot();
    expect(run({ ...values, x: Float64Array.of(1, 2, 3, 4) })).toMatchInlineSnapshot();
    expect(run({ ...values, n: Int32Array.of(1) })).toMatchInlineSnapshot();
    expect(run({ ...values, z: values.x })).toMatchInlineSnapshot();
    expect(messageOf(() => engine.read(['v']))).toMatchInlineSnapshot();
    expect(messageOf(() => engine.write({ v: values.x }))).toMatchInlineSnapshot();
    expect(messageOf(() => engine.write({ w: Float32Array.of(1) }))).toMatchInlineSnapshot();
    expect(messageOf(() => engine.run(signature('evaluate'), {}))).toMatchInlineSnapshot();
    expect([...engine.run(call, values).y!]).toEqual([1, 2, 3, 4]);
    engine.dispose();
    expect(messageOf(() => engine.run(call, values))).toMatchInlineSnapshot();
  });

  test('a signature that is refused leaves the engine as it was', () => {
    const fn: StepFunction = (_, { x }, { how }) => ({
      state: { w: x! },
      outputs: { y: how === 'bad' ? tf.unique(x!).values : x!.add(1) },
    });
    const engine = createCapturedEngine(programOf(fn, inputs, state), use());
    engine.run(call, values);
    expect(messageOf(() => engine.run(signature('step', inputs, { how: 'bad' }), values))).toMatch('UniqueV2');
    expect([...engine.read().w!]).toEqual([1, 2, 3, 4]);
    expect([...engine.run(signature('step', inputs, { how: 'good' }), values).y!]).toEqual([2, 3, 4, 5]);
    expect(engine.stats).toMatchObject({ signatures: 2, rebuilds: 1 });
    engine.dispose();
  });
});
