import { expect, test } from 'vitest';
import { packState } from '../../src/graph/pack.ts';
import { dropUnused, mergeEqual } from '../../src/graph/prune.ts';
import { opOf } from '../../src/graph/recording.ts';
import { createShapeInference } from '../../src/graph/shapes.ts';
import { trace } from '../../src/graph/trace.ts';
import type { GraphFunction, GraphProgram } from '../../src/graph/types.ts';
import type { NamedTensors } from '../../src/tf.ts';
import { bothEngines, describeNative, relativeDistance, signature, waves } from '../step/captured-support.ts';

const kernels = { k0: [2, 3], k1: [3, 3, 1, 2], k2: [5] };
const biases = { b0: [3], b1: [2] };
const large = { huge0: [300, 300], huge1: [300, 300] };
const averages = { average0: [3], average1: [2] };

const state: GraphProgram['state'] = {
  steps: { shape: [], values: Float32Array.of(0) },
  ...waves({ ...kernels, ...biases, ...large, ...averages, frozen: [4] }),
  ...waves(Object.fromEntries(Object.entries(kernels).map(([name, shape]) => [`m/${name}`, shape])), 0),
};

/** Momentum and decay for kernels, plain descent for biases, running averages, a step count; `part` updates less. */
const step: GraphFunction = (before, { x, rate }, { part }) => {
  const next: NamedTensors = { steps: before.steps!.add(1) };
  const gradient = (name: string) => before[name]!.mul(x!.sum()).sin();
  for (const name of Object.keys(kernels).slice(0, part === 'yes' ? 2 : 3)) {
    const momentum = before[`m/${name}`]!.mul(0.9).add(gradient(name).add(before[name]!.mul(1e-2)));
    next[`m/${name}`] = momentum;
    next[name] = before[name]!.sub(momentum.mul(rate!));
  }
  for (const name of [...Object.keys(biases), ...Object.keys(large)]) {
    next[name] = before[name]!.sub(gradient(name).mul(rate!));
  }
  for (const name of Object.keys(averages)) next[name] = before[name]!.mul(0.9).add(before.frozen!.max());
  return { state: next, outputs: { norm: before.k1!.square().sum() } };
};

const inputs = { x: [[3], 'float32'], rate: [[], 'float32'] } as const;
const whole = signature('step', inputs, { part: 'no' });
const part = signature('step', inputs, { part: 'yes' });
const program: GraphProgram = { functions: { step }, state, signatures: [whole, part] };

describeNative('packed state', (use) => {
  const record = () => {
    const shapes = createShapeInference(use().binding!);
    return program.signatures.map((call) => mergeEqual(dropUnused(trace(step, call, { shapes, state }))));
  };

  test('small arrays of one formula share a variable', () => {
    const { variables } = packState(record(), state);
    const members = Object.entries(variables).map(([name, { members: of }]) => `${name}: ${of.map((m) => m.name)}`);
    expect(members).toMatchInlineSnapshot(`
      [
        "packed/0: k0,k1,k2",
        "packed/1: b0,b1",
        "packed/2: average0,average1",
        "packed/3: m/k0,m/k1,m/k2",
        "steps: steps",
        "huge0: huge0",
        "huge1: huge1",
        "frozen: frozen",
      ]
    `);
    expect(variables['packed/0']).toMatchObject({ shape: [29] });
  });

  test('the formula runs once over all of them; where arrays are missing it runs on each', () => {
    const count = (recording: ReturnType<typeof record>[number], op: string) =>
      recording.nodes.filter((node) => opOf(node) === op).length;
    const [before, beforePart] = record();
    const { recordings } = packState([before!, beforePart!], state);
    const ops = (recording: typeof before) => ['Mul', 'Add', 'Sub', 'Sin'].map((op) => count(recording!, op));
    // Kernels: 5 products and sums once, not three times; gradients, the last of an array, are still one by one.
    expect([ops(before), ops(recordings[0])]).toMatchInlineSnapshot(`
      [
        [
          22,
          9,
          7,
          7,
        ],
        [
          14,
          4,
          4,
          7,
        ],
      ]
    `);
    expect(ops(recordings[1])[0]).toBeGreaterThan(ops(recordings[0])[0]!);
  });

  test('20 steps equal eager ones; state is read and written by its own names', () => {
    const engines = bothEngines(program, use());
    for (let n = 0; n < 20; n++) {
      const feeds = { x: Float32Array.of(0.1, n / 10, 0.3), rate: Float32Array.of(0.05) };
      const { eager, captured } = engines.run(n % 3 === 0 ? part : whole, feeds);
      expect(relativeDistance(captured, eager)).toBeLessThan(1e-6);
    }
    const [eager, captured] = [engines.eager.read(), engines.captured.read()];
    expect(Object.keys(captured)).toEqual(Object.keys(state));
    expect(captured.steps).toEqual(Float32Array.of(20));
    for (const name of Object.keys(state)) {
      expect(relativeDistance({ [name]: captured[name]! }, { [name]: eager[name]! })).toBeLessThan(1e-5);
    }
    engines.captured.write({ k1: new Float32Array(18).fill(2), b1: Float32Array.of(7, 8) });
    expect(engines.captured.read(['b1', 'k1', 'k2', 'b0'])).toEqual({
      b1: Float32Array.of(7, 8),
      k1: new Float32Array(18).fill(2),
      k2: captured.k2,
      b0: captured.b0,
    });
    const { norm } = engines.captured.run(whole, { x: Float32Array.of(0, 0, 0), rate: Float32Array.of(0) });
    expect(norm).toEqual(Float32Array.of(72));
    engines.dispose();
  });
});
