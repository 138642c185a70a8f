import process from 'node:process';
import { expect, test, vi } from 'vitest';
import { cpuFeatures, isBfloat16Native } from '../../src/backend/cpu.ts';
import type { Backend } from '../../src/backend/load.ts';
import { runFailed } from '../../src/graph/errors.ts';
import type { GraphFunction, GraphProgram } from '../../src/graph/types.ts';
import { type CapturedEngine, createCapturedEngine } from '../../src/step/captured/engine.ts';
import { createEagerEngine } from '../../src/step/eager.ts';
import { withFallback } from '../../src/step/fallback.ts';
import { createEngine } from '../../src/step/index.ts';
import { tf } from '../../src/tf.ts';
import { describeNative, programOf, signature } from './captured-support.ts';

const add: GraphFunction = ({ sum }, { x }) => {
  const next = tf.add(sum!, x!);
  return { state: { sum: next }, outputs: { next } };
};
const step = signature('step', { x: [[2], 'float32'] });
const program = programOf(add, { x: [[2], 'float32'] }, { sum: { shape: [2], values: Float32Array.of(0, 0) } });
const wasm: Backend = { name: 'wasm', tensorflow: null, threads: 1, reason: 'a test' };

test('the eager step computes in float32, and says so', async () => {
  const described = async (options: Parameters<typeof createEngine>[2]) => {
    const { mode, reason, precision, precisionReason } = await createEngine(program, wasm, options);
    return { mode, reason, precision, precisionReason };
  };
  expect([
    await described({ step: 'auto', precision: 'bf16' }),
    await described({ step: 'eager', precision: 'fp32' }),
  ]).toEqual([
    {
      mode: 'eager',
      reason: 'the wasm backend has no graphs',
      precision: 'fp32',
      precisionReason: 'the eager step computes in float32',
    },
    { mode: 'eager', reason: null, precision: 'fp32', precisionReason: null },
  ]);
});

describeNative('captured', (use) => {
  test('only what is computed in host memory is compared with it', async () => {
    vi.spyOn(process, 'availableMemory').mockReturnValue(1);
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const codes: unknown[][] = [];
    for (const name of ['native', 'native-gpu'] as const) {
      warned.mockClear();
      (await createEngine(program, { ...use(), name }, { step: 'captured', precision: 'fp32' })).dispose();
      codes.push(warned.mock.calls.map(([, options]) => (options as unknown as { code: string }).code));
    }
    vi.restoreAllMocks();
    expect(codes).toEqual([['MEMORY_LOW'], []]);
  });

  test('bf16 where the processor has it, else fp32 with the reason', async () => {
    const { precision, precisionReason, dispose } = await createEngine(program, use(), {
      step: 'captured',
      precision: 'bf16',
    });
    const cpu = cpuFeatures();
    expect([precision, precisionReason]).toEqual(
      cpu === null || isBfloat16Native(cpu)
        ? ['bf16', null]
        : ['fp32', 'this processor has neither avx512_bf16 nor amx_bf16'],
    );
    dispose();
  });

  /** An engine whose session fails at the given runs, with half of the new state written. */
  function failingAt(own: GraphProgram, isFailing: (run: number) => boolean) {
    const captured = createCapturedEngine(own, use());
    const ended = vi.fn(captured.dispose);
    let runs = 0;
    const failing: CapturedEngine = {
      ...captured,
      run(call, inputs) {
        if (!isFailing(runs++)) return captured.run(call, inputs);
        captured.write({ sum: Float32Array.of(9, 9) });
        throw runFailed({ call: call.call, owner: 'a-plugin' }, 'MatMul', 'no kernel');
      },
      dispose: ended,
    };
    return { failing, ended };
  }

  const feed = { x: Float32Array.of(10, 20) };

  test('auto goes on eagerly where a graph fails at its first run, from the state before it', () => {
    const { failing, ended } = failingAt(program, () => true);
    const engine = withFallback(failing, (reason) => createEagerEngine(program, { reason }));
    engine.write({ sum: Float32Array.of(1, 2) });
    expect(engine.mode).toBe('captured');
    expect([...engine.run(step, feed).next!]).toEqual([11, 22]);
    expect([...engine.run(step, feed).next!]).toEqual([21, 42]);
    expect([engine.mode, engine.reason]).toEqual(['eager', '[a-plugin] captured "step": the graph failed: no kernel']);
    expect(ended).toHaveBeenCalledOnce();
    engine.dispose();
  });

  test('a graph that fails before anything else has run goes on from the beginning, and nothing is read for it', () => {
    const { failing } = failingAt(program, () => true);
    const read = vi.spyOn(failing, 'read');
    const engine = withFallback(failing, (reason) => createEagerEngine(program, { reason }));
    expect([...engine.run(step, feed).next!]).toEqual([10, 20]);
    expect([engine.mode, read.mock.calls]).toEqual(['eager', []]);
    engine.dispose();
  });

  test('of what a call does not replace nothing is read, unless it fails, and then it is as it was', () => {
    const state = { ...program.state, kept: { shape: [1], values: Float32Array.of(0) } };
    const two = programOf(add, { x: [[2], 'float32'] }, state);
    const open = (isFailing: (run: number) => boolean) => {
      const { failing } = failingAt(two, isFailing);
      const read = vi.spyOn(failing, 'read');
      const engine = withFallback(failing, (reason) => createEagerEngine(two, { reason }));
      engine.write({ sum: Float32Array.of(1, 2), kept: Float32Array.of(7) });
      engine.run(step, feed);
      const read1 = read.mock.calls;
      const after = Object.fromEntries(Object.entries(engine.read()).map(([name, values]) => [name, [...values]]));
      engine.dispose();
      return { first: read1[0], after };
    };
    const expected = { first: [['sum']], after: { sum: [11, 22], kept: [7] } };
    expect(open(() => false)).toEqual(expected);
    expect(open(() => true)).toEqual(expected);
  });

  test('what fails later, or is no matter of the graph, is thrown', () => {
    const { failing } = failingAt(program, (run) => run === 1);
    const engine = withFallback(failing, () => expect.fail('fell back'));
    engine.run(step, { x: Float32Array.of(1, 1) });
    expect(() => engine.run(step, { x: Float32Array.of(1, 1) })).toThrow('no kernel');
    expect(() => withFallback(failing, () => expect.fail('fell back')).run(step, {})).toThrow(/x/);
    engine.dispose();
  });

  test('auto goes on eagerly where a value has changed since it was recorded, before the first step and not after', async () => {
    let factor = 1;
    const scale: GraphFunction = ({ sum }, { x }) => add({ sum: sum! }, { x: tf.mul(x!, factor) }, {});
    const scaled = programOf(scale, { x: [[2], 'float32'] }, program.state);
    const open = () => createEngine(scaled, use(), { step: 'auto', precision: 'fp32' });
    const engine = await open();
    engine.write({ sum: Float32Array.of(1, 2) });
    engine.verify();
    expect(engine.mode).toBe('captured');
    factor = 2;
    engine.verify();
    expect([engine.mode, engine.reason]).toEqual([
      'eager',
      expect.stringContaining('feeds Mul was 1 in one recording and 2'),
    ]);
    expect([...engine.run(step, { x: Float32Array.of(10, 20) }).next!]).toEqual([21, 42]);
    engine.verify();
    engine.dispose();

    const late = await open();
    late.run(step, { x: Float32Array.of(1, 1) });
    factor = 3;
    expect(() => late.verify()).toThrow('feeds Mul was 2 in one recording and 3');
    late.dispose();
  });
});
