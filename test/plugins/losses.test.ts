import { beforeAll, describe, expect, test } from 'vitest';
import { registry } from '../../plugins/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import { type Backend, loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import type { Plugin } from '../../src/plugin.ts';
import { trainFeeds } from '../../src/step/inputs.ts';
import { createOptimizer } from '../../src/step/optimizers.ts';
import { createStepProgram } from '../../src/step/program.ts';
import { signatureFor } from '../../src/step/signature.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import reference from '../reference/losses.json' with { type: 'json' };
import { bothEngines, describeNative, relativeDistance } from '../step/captured-support.ts';
import { type GivenSamples, lossOf } from '../support/given-logits.ts';
import { smallInfo } from '../support/info.ts';
import { at, mixBatch } from '../support/plugins.ts';

const pluginOf = async (name: string, options: object): Promise<Plugin> =>
  (await registry[name]!()).default(options as never);

const { classCounts, labels, pair, labelWeight, classWeights, cases } = reference;
const inputsOf = (name: string): Record<string, Float32Array> =>
  name === 'gcl' ? { 'gcl/noise': Float32Array.from(reference.noise) } : {};

type Case = (typeof cases)[number];

const samplesOf = ({ plugin, logits, headScale }: Case, how: 'plain' | 'mean' | 'weighted-mean'): GivenSamples => ({
  classCounts,
  logits,
  labels,
  inputs: inputsOf(plugin),
  head: { kind: 'cosine', scale: headScale },
  ...(how === 'plain' ? {} : { mixed: { pair, labelWeight }, classWeights, reduction: how }),
});

/** Loss to six digits, gradient to 2e-6 of its length: float32 over sums of exponentials of up to ±30. */
function expectReference(result: ReturnType<typeof lossOf>, expected: Case['plain']): void {
  expect(Math.abs(result.loss / expected.loss - 1)).toBeLessThan(1e-6);
  expect(relativeDistance({ gradient: result.gradient }, { gradient: expected.gradient })).toBeLessThan(2e-6);
}

describeBackends('losses against PyTorch (test/reference/losses.py)', (use) => {
  beforeAll(use);

  describe.each(cases.map((one) => ({ ...one, title: `${one.plugin} ${JSON.stringify(one.options)}` })))(
    '$title',
    (one) => {
      test.each(['plain', 'weighted-mean', 'mean'] as const)('%s', async (how) => {
        expectReference(lossOf([await pluginOf(one.plugin, one.options)], samplesOf(one, how)), one[how]);
      });
    },
  );

  test.each(cases)('$plugin $options stays finite at logits of ±1e4', async ({ plugin, options }) => {
    const logits = [1e4, -1e4, 0, -1e4, 1e4, 1e4, 0, -1e4, 1e4, -1e4, -1e4, -1e4, -1e4, 1e4, 0];
    const samples: GivenSamples = {
      classCounts,
      logits,
      labels: [0, 4, 3],
      mixed: { pair: [1, 2, 0], labelWeight: [0.25, 0.5, 1] },
      head: { kind: 'cosine', scale: 1 },
      inputs: plugin === 'gcl' ? { 'gcl/noise': new Float32Array(15).fill(0.5) } : {},
    };
    const { loss, gradient } = lossOf([await pluginOf(plugin, options)], samples);
    expect(Number.isFinite(loss)).toBe(true);
    expect(gradient.every(Number.isFinite)).toBe(true);
  });
});

describe('loss functions where a float32 has no room', () => {
  beforeAll(async () => {
    await loadBackend();
  });

  test.each([0, 0.5, 1, 2])(
    'focal, gamma %d: a label of probability 1 costs nothing and pulls at nothing',
    async (gamma) => {
      const samples: GivenSamples = { classCounts: [3, 2], logits: [1e4, -1e4], labels: [0] };
      const { loss, gradient } = lossOf([await pluginOf('focal', { gamma })], samples);
      expect(loss).toBe(0);
      expect(gradient.every((slope) => Math.abs(slope) === 0)).toBe(true);
    },
  );
});

describeNative('captured losses', (use) => {
  const names = [...new Set(cases.map(({ plugin }) => plugin))];
  const size = 12;

  /** Ten steps of a small cosine network, mixed up, by both engines. */
  async function tenSteps(name: string, backend: Backend) {
    const model = createModel(modelOptions.parse({ name: 'mlp', width: 6, depth: 1, head: 'cosine', scale: 2 }), {
      classes: 4,
      imageShape: [4, 4, 3],
    });
    const composition = compose([mixup(), await pluginOf(name, {})], smallInfo({ head: model.head! }));
    const program = createStepProgram(model, composition, {
      seed: 3,
      imageShape: [4, 4, 3],
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
      batchSizes: [size],
      evaluateBatchSize: size,
      optimizer: createOptimizer({ name: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 2e-4 }),
    });
    const engines = bothEngines(program, backend);
    const distances: number[] = [];
    for (let step = 1; step <= 10; step++) {
      const { batch, targets } = mixBatch(
        composition,
        Int32Array.from({ length: size }, (_, i) => (i * step) % 4),
        at(1, step),
      );
      const images = Uint8Array.from({ length: size * 48 }, (_, i) => (i * 7919 + step * 31) % 256);
      const feeds = trainFeeds({
        batch,
        targets,
        images,
        imageShape: [4, 4, 3],
        classWeights: Float64Array.of(0.5, 1, 2, 3),
        learningRate: 0.1,
        reduction: 'weighted-mean',
      });
      const { eager, captured } = engines.run(signatureFor(program, 'train', batch.variants, size), feeds);
      distances.push(relativeDistance({ loss: captured.loss! }, { loss: eager.loss! }));
    }
    const states = relativeDistance(engines.captured.read(), engines.eager.read());
    const images = { images: new Uint8Array(size * 48).fill(100) };
    const logits = engines.run(signatureFor(program, 'predict', {}), images);
    const predicted = relativeDistance(logits.captured, logits.eager);
    engines.dispose();
    return { losses: Math.max(...distances), states, predicted };
  }

  test.each(names)('%s: as eager over ten steps', async (name) => {
    const { losses, states, predicted } = await tenSteps(name, use());
    expect(losses).toBeLessThan(1e-5);
    expect(states).toBeLessThan(1e-5);
    expect(predicted).toBeLessThan(1e-5);
  });

  test.each(cases)('$plugin $options: as PyTorch', async (one) => {
    const { plugin, options } = one;
    expectReference(
      lossOf([await pluginOf(plugin, options)], samplesOf(one, 'weighted-mean'), use()),
      one['weighted-mean'],
    );
  });
});
