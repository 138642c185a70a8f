import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { context } from '../../src/cli/context.ts';
import { headConfigs } from '../../src/cli/probe/heads.ts';
import { probe } from '../../src/cli/probe/index.ts';
import { loadConfig } from '../../src/config/load.ts';
import { trainerOptions } from '../../src/config/trainer-options.ts';
import { planRun } from '../../src/train/plan-run.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const config = `name: own
data: { name: digits, ratio: 100, split: { validation: 0.1 }, augment: [{ name: flip }] }
model: { name: mlp, width: 8, head: cosine, freeze: [backbone], frozenNorm: batch }
train: { epochs: 7, precision: bf16 }
evaluate: { groups: { manyAbove: 50 } }
plugins:
  - { use: ema, decay: 0.9 }
  - { use: checkpoint, keep: 3 }
`;

async function written(text: string): Promise<string> {
  const path = join(await temporaryFolder(), 'own.yaml');
  await writeFile(path, text);
  return path;
}

test('each classifier is a run on features with the config’s images, network and observers', async () => {
  const loaded = await loadConfig(await written(config), context);
  const features = { classCounts: [500, 300, 200, 100, 50, 40, 30, 20, 10, 6], meanSquare: 50 };
  const methods = headConfigs(loaded, features);
  expect(methods.map(({ method }) => method)).toEqual([
    'Logistic regression',
    'Class means',
    'Logistic regression, balanced',
    'Balanced softmax',
    'cRT',
    'LWS',
    'tau-norm',
  ]);
  for (const method of methods) {
    const own = await loadConfig(await written(stringify(method.config)), context);
    const { data, evaluate, train } = own.options;
    expect(data).toMatchObject({ features: true, ratio: 100, split: { validation: 0.1 } });
    expect(data.augment).toEqual([]);
    expect(evaluate.groups.manyAbove).toBe(50);
    expect(train.precision).toBe('bf16');
    const plugins = own.plugins.map(({ definition }) => definition.name);
    expect(plugins).not.toContain('ema');
    expect(plugins).toContain('checkpoint');
    const { composition, info } = await planRun(trainerOptions(own));
    expect(info.features).toMatchObject({ backbone: 'mlp' });
    const warned = composition.warnings.map(({ plugin }) => plugin);
    expect(warned).toEqual(method.file === 'class-means' ? ['class-mean-head'] : []);
  }
  const [logistic, means, balanced] = methods.map((method) => method.config as unknown) as [Run, Run, Run];
  expect(logistic.train).toMatchObject({
    epochs: 100,
    batchSize: 256,
    reduction: 'mean',
    // Half of the squared weights against a sum over 1,256 images, and no decay of the bias, as scikit-learn has it.
    optimizer: { name: 'sgd', learningRate: 0.2, weightDecay: 1 / 1256, noDecay: ['bias'] },
  });
  expect(means.train.epochs).toBe(1);
  const [{ custom }] = balanced.plugins as [{ custom: number[] }];
  expect(custom[0]).toBeCloseTo(1256 / 5000, 12);
  const mean = custom.reduce((sum, weight, c) => sum + weight * features.classCounts[c]!, 0) / 1256;
  expect(mean).toBeCloseTo(1, 12);
});

test('tuning has each classifier as it is, and with other hyper-parameters', async () => {
  const loaded = await loadConfig(await written(config), context);
  const features = { classCounts: [500, 300, 200, 100, 50, 40, 30, 20, 10, 6], meanSquare: 50 };
  const plain = headConfigs(loaded, features);
  const all = headConfigs(loaded, features, true);
  expect(all).toHaveLength(47);
  expect(new Set(all.map(({ file }) => file)).size).toBe(47);
  expect(new Set(all.map(({ method }) => method)).size).toBe(47);
  for (const method of plain) expect(all).toContainEqual(method);
  const named = (name: string) => all.find(({ method }) => method === name)!.config as unknown as Run;
  expect(named('cRT (C 10, rate 0.25)').train.optimizer).toMatchObject({ learningRate: 0.05, weightDecay: 0.1 / 1256 });
  expect(named('Logistic regression (C 0.1)').train.optimizer).toMatchObject({
    learningRate: 0.2,
    weightDecay: 10 / 1256,
  });
  expect(named('Balanced softmax (C 0.001)').train.optimizer).toMatchObject({
    learningRate: 0.2,
    weightDecay: 1000 / 1256,
  });
  // Short rows, as of normalised features, have a high rate: each step would then turn the weights round.
  const short = headConfigs(loaded, { ...features, meanSquare: 1 }, true).map(
    (one) => (one.config as unknown as Run).train,
  );
  for (const { optimizer } of short) {
    const { learningRate, weightDecay } = optimizer as { learningRate: number; weightDecay: number };
    expect(learningRate * weightDecay).toBeLessThanOrEqual(1 + 1e-12);
  }
  expect(named('tau-norm (tau 0.5)').plugins[0]).toEqual({ use: 'tau-norm', tau: 0.5 });
  const { phases } = named('LWS (rate 0.25)') as unknown as { phases: Record<string, unknown>[] };
  expect(phases[1]!.train).toEqual({ optimizer: { learningRate: 0.025, weightDecay: 0 } });
  for (const one of ['Balanced softmax (C 0.1, rate 0.25)', 'tau-norm (tau 0.25)', 'LWS (rate 0.25)']) {
    const own = await loadConfig(await written(stringify(named(one))), context);
    await planRun(trainerOptions(own));
  }
});

interface Run {
  train: { epochs: number; optimizer: object };
  plugins: object[];
}

test('it is refused without images to choose by, and for a config of phases', async () => {
  const without = await written(config.replace('split: { validation: 0.1 }, ', ''));
  expect(await messageOfError(() => probe([without], {}))).toContain(
    ': expected validation images, by which the method is chosen; there are none.',
  );
  const phases = await written(`${config}phases: [{ epochs: 1 }, { epochs: 1 }]\n`);
  expect(await messageOfError(() => probe([phases], {}))).toBe(
    'probe: expected a config of one phase, whose remedy it can replace; this one has `phases`. Compare such configs with a sweep (docs/config.md).',
  );
});
