import { expect, test } from 'vitest';
import {
  createBatch,
  createEngine,
  createOptimizer,
  createStepProgram,
  createTargets,
  definePlugin,
  loadBackend,
  planRun,
  signatureFor,
  tf,
  trainFeeds,
  z,
} from '../../src/index.ts';
import { randomStream } from '../../src/random.ts';
import { describeNative } from './captured-support.ts';

/** As somebody writes it who has the package alone: all names are those that it exports. */
const mine = definePlugin({
  name: 'mine',
  options: z.strictObject({}),
  apply({ hooks }) {
    hooks.buildLoss.tap('mine', (loss) => ({
      ...loss,
      terms: { ...loss.terms, mine: ({ logits }) => tf.logSumExp(logits, 1).square().mul(0.01) },
      figures: { ...loss.figures, 'mine/largest': ({ logits }) => logits.max() },
      perSample: { ...loss.perSample, 'mine/logits': ({ logits }) => logits },
    }));
  },
});

describeNative('a plugin is tested by its author without a run', () => {
  async function step(kind: 'eager' | 'captured') {
    const { model, composition, info } = await planRun({
      data: { name: 'digits' },
      model: { name: 'mlp' },
      plugins: [mine()],
    });
    const program = createStepProgram(model, composition, {
      ...info,
      batchSizes: [8],
      evaluateBatchSize: 8,
      optimizer: createOptimizer({ name: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 0 }),
    });
    const engine = await createEngine(program, await loadBackend(), { step: kind, precision: 'fp32' });
    const labels = Int32Array.from({ length: 8 }, (_, i) => i);
    const random = randomStream('pixels');
    const ctx = { epoch: 1, step: 1, stepInEpoch: 1, rehearsal: false };
    const created = createBatch({ size: 8, indices: labels, labels, groups: {} }, composition.variants);
    const batch = composition.hooks.onBatch.call(created, ctx);
    const feeds = trainFeeds({
      batch,
      targets: composition.hooks.computeTargets.call(createTargets(batch), ctx),
      images: Uint8Array.from({ length: 8 * info.imageShape.reduce((a, b) => a * b) }, () => random.integer(256)),
      imageShape: info.imageShape,
      classWeights: new Float64Array(info.classes.length).fill(1),
      learningRate: 0.1,
      reduction: 'weighted-mean',
    });
    const outputs = engine.run(signatureFor(program, 'train', batch.variants, 8), feeds);
    const state = engine.read();
    expect(engine.mode).toBe(kind);
    engine.dispose();
    return { outputs, state, classes: info.classes.length };
  }

  test('its term, figure and rows in one step, captured as eager', async () => {
    const eager = await step('eager');
    const captured = await step('captured');
    const { outputs, classes } = eager;
    const logits = outputs['sample/mine/logits'] as Float32Array;
    const rows = Array.from({ length: 8 }, (_, i) => [...logits.subarray(i * classes, (i + 1) * classes)]);
    const sums = rows.map((row) => Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)));
    const term = sums.reduce((sum, value) => sum + 0.01 * value ** 2, 0) / 8;
    expect(outputs['figure/mine']![0]).toBeCloseTo(term, 5);
    expect(outputs.loss![0]).toBeCloseTo(rows.reduce((sum, row, i) => sum + sums[i]! - row[i]!, 0) / 8 + term, 5);
    expect(outputs['figure/mine/largest']![0]).toBe(Math.max(...logits));
    expect(captured.outputs.loss![0]).toBeCloseTo(outputs.loss![0]!, 5);
    for (const [name, values] of Object.entries(eager.state))
      expect(Math.max(...values.map((value, i) => Math.abs(value - captured.state[name]![i]!))), name).toBeLessThan(
        1e-6,
      );
  });
});
