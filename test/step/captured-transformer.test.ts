import { describe, expect, test } from 'vitest';
import { cpuFeatures, isBfloat16Native } from '../../src/backend/cpu.ts';
import { softmax } from '../../src/backend/kernels/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { hasCustomOps } from '../../src/backend/native.ts';
import { mergeEqual } from '../../src/graph/prune.ts';
import { recordOnce } from '../../src/graph/record.ts';
import { createShapeInference } from '../../src/graph/shapes.ts';
import type { GraphFunction } from '../../src/graph/types.ts';
import { startFlow } from '../../src/models/layers.ts';
import { transformerBlock } from '../../src/models/transformer.ts';
import { createCapturedEngine } from '../../src/step/captured/engine.ts';
import { tf } from '../../src/tf.ts';
import { bothEngines, programOf, relativeDistance, wave, waves } from './captured-support.ts';

const WIDTH = 32;
const features = cpuFeatures();
const hasBfloat16 = features !== null && isBfloat16Native(features);
const block = transformerBlock('block1', {
  width: WIDTH,
  heads: 2,
  activation: 'gelu',
  epsilon: 1e-6,
  layerScale: false,
});
const state = waves(Object.fromEntries(block.weights.map(({ name, shape }) => [name, shape])));
const inputs = { x: [[3, 5, WIDTH], 'float32'] } as const;

/** Value and gradients of the weights whose name passes, through the whole block. */
const step =
  (isTrained: (name: string) => boolean): GraphFunction =>
  (weights, { x }) => {
    const names = Object.keys(weights).filter(isTrained);
    const total = (...trained: tf.Tensor[]): tf.Scalar => {
      const all = { ...weights, ...Object.fromEntries(names.map((name, i) => [name, trained[i]!])) };
      const flow = startFlow(all, { training: true, atStage: (_, y) => y } as Parameters<typeof startFlow>[1]);
      const y = block.apply(block.apply(x!, flow), flow);
      return y.mul(tf.tensor(wave(y.size, 3), y.shape)).sum();
    };
    const { value, grads } = tf.valueAndGrads(total)(names.map((name) => weights[name]!));
    return { state: {}, outputs: { value, ...Object.fromEntries(names.map((name, i) => [name, grads[i]!])) } };
  };

const cases = {
  'all weights': () => true,
  'one bias, the norms frozen': (name: string) => name.endsWith('query/bias'),
};

const backend = await loadBackend('native').catch(() => null);
const missing = hasCustomOps() ? null : "tailmix's custom ops are not loaded: see `tailmix doctor`";
if (missing !== null) console.warn(`SKIPPED: custom ops of transformers, ${missing}`);

describe.skipIf(backend === null)('a transformer block, captured', () => {
  test.each(Object.entries(cases))('equals the eager step: %s', (_, isTrained) => {
    const program = programOf(step(isTrained), inputs, state);
    const engines = bothEngines(program, backend!);
    const { eager, captured } = engines.run(program.signatures[0]!, { x: wave(3 * 5 * WIDTH, 1) });
    expect(engines.captured.mode).toBe('captured');
    // Together: the key's bias has no effect, so that its gradient is rounding alone.
    expect(relativeDistance(captured, eager)).toBeLessThan(1e-5);
    engines.dispose();
  });

  describe.skipIf(missing !== null)('with custom ops', () => {
    test.skipIf(!hasBfloat16).each([8, 16, 19, 40])(
      'softmax has its gradient from what was kept in bfloat16, in rows of %i',
      (width) => {
        const attend: GraphFunction = ({ weight }, { x }) => {
          const loss = (w: tf.Tensor): tf.Scalar => {
            const y = tf.matMul(softmax(x!.mul(w)), tf.tensor(wave(2 * width * 4, 5), [2, width, 4]));
            return y.mul(tf.tensor(wave(y.size, 3), y.shape)).sum();
          };
          return { state: {}, outputs: { gradient: tf.grad(loss)(weight!) } };
        };
        const rows = { x: [[2, 6, width], 'float32'] } as const;
        const program = programOf(attend, rows, waves({ weight: [2, 6, width] }));
        const [fp32, bf16] = (['fp32', 'bf16'] as const).map((precision) => {
          const engine = createCapturedEngine(program, backend!, { precision });
          const outputs = engine.run(program.signatures[0]!, { x: wave(12 * width, 1) });
          engine.dispose();
          return outputs;
        });
        const distance = relativeDistance(bf16!, fp32!);
        expect(distance).toBeGreaterThan(0);
        expect(distance).toBeLessThan(0.02);
      },
    );

    test.each([
      ['all weights', 4],
      ['one bias, the norms frozen', 0],
    ] as const)('has one op for each: %s', (name, sums) => {
      const program = programOf(step(cases[name]), inputs, state);
      const shapes = createShapeInference(backend!.binding!);
      const { nodes } = mergeEqual(recordOnce(program, program.signatures[0]!, { shapes }));
      const count = (op: string): number => nodes.filter((node) => node.kind === 'op' && node.op === op).length;
      expect(count('TailmixLayerNorm')).toBe(4);
      // Nothing below the first trained weight has a gradient.
      expect(count('TailmixLayerNormGrad')).toBe(3);
      expect(count('TailmixLayerNormSums')).toBe(sums);
      expect([count('TailmixGelu'), count('TailmixGeluGrad'), count('TailmixSoftmaxGrad')]).toEqual([2, 2, 2]);
      expect([count('Erf'), count('Rsqrt')]).toEqual([0, 0]);
    });
  });
});
