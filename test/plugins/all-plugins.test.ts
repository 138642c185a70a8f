import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import balancedMixup from '../../plugins/balanced-mixup/index.ts';
import cutmix from '../../plugins/cutmix/index.ts';
import { registry } from '../../plugins/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import { compose } from '../../src/compose.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import type { BatchResult } from '../../src/hooks.ts';
import { withoutConfusion } from '../../src/metrics/summary.ts';
import { describeOptions, withOptionsTable } from '../../src/options-table.ts';
import { definePlugin, type Plugin, type PluginFactory } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import { createTrainer } from '../../src/trainer.ts';
import { smallInfo } from '../support/info.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** Settings to try each plugin with, and what it needs beside it. */
const settings: Record<string, { options: Record<string, unknown>; beside?: readonly Plugin[] }> = {
  'balanced-mixup': { options: { alpha: 0.5 } },
  'balanced-softmax': { options: {} },
  cdt: { options: { gamma: 0.3 } },
  checkpoint: { options: { every: 1, keep: 1, best: 'test', metric: 'accuracy' } },
  choose: {
    options: {
      of: [{ plugin: mixup(), weight: 2 }, { plugin: cutmix({ probability: 0.5 }) }, { plugin: balancedMixup() }],
    },
  },
  cmo: { options: { gamma: 0.5, probability: 0.8, skipFirst: 0, skipLast: 0 } },
  'cross-entropy': { options: {} },
  cutmix: { options: { alpha: 0.5, probability: 0.8 } },
  drs: { options: { deferUntil: 1, weights: 'class-uniform' } },
  drw: { options: { deferUntil: 1, beta: 0.99 } },
  'early-stopping': { options: { patience: 3, minDelta: 0.01, metric: 'loss' } },
  ema: { options: { decay: 0.5, warmup: false } },
  focal: { options: { gamma: 1 } },
  'focal-sigmoid': { options: { gamma: 1, initialBias: 'none' } },
  gcl: { options: { noise: 1, margin: 0.1, scale: 20 } },
  'grad-accumulation': { options: { steps: 3 } },
  'grad-clip': { options: { by: 'value', limit: 0.01 } },
  'label-aware-smoothing': { options: { head: 0.4, tail: 0.1, shape: 'linear' } },
  'label-smoothing': { options: { epsilon: 0.2 } },
  ldam: { options: { maxMargin: 0.3, scale: 10 } },
  'logit-adjustment': { options: { mode: 'post-hoc', tau: 1.5 } },
  'lr-schedule': { options: { schedule: 'cosine', warmup: 1, warmupBy: 'step', minimum: 0.001 } },
  mamix: { options: { omega: -0.5 }, beside: [mixup()] },
  'manifold-mixup': { options: { stages: ['stage1', 'input'], alpha: 1 } },
  mixup: { options: { alpha: 0.4, lambda: 'sample' } },
  progress: { options: { style: 'none' } },
  remix: { options: { kappa: 2, tau: 0.8 }, beside: [mixup()] },
  resample: { options: { weights: 'square-root' } },
  reweight: { options: { weights: 'inverse', gamma: 0.5 } },
  sam: { options: { rho: 0.5, adaptive: true } },
  tracking: { options: {} },
  unimix: { options: { alpha: 1, tau: -1 } },
  vs: { options: { gamma: 0.15, tau: 1.25 } },
};

const HEADINGS = [
  'In a config',
  'Options',
  'Where it hooks',
  'Composes with',
  'Equation to code',
  'Deviations from the paper',
  'Results we measured',
  'Attribution',
];

const pluginsFolder = new URL('../../plugins/', import.meta.url);
const cardPath = (name: string): URL => new URL(`${name}/README.md`, pluginsFolder);

test('registry, folders and settings name the same plugins', () => {
  const folders = readdirSync(pluginsFolder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(Object.keys(registry).sort()).toEqual(folders.map(({ name }) => name).sort());
  expect(Object.keys(settings).sort()).toEqual(Object.keys(registry).sort());
});

const observe = (apply: Parameters<typeof definePlugin>[0]['apply']): Plugin =>
  definePlugin({ name: 'observer', options: z.strictObject({}), apply })();

/** Trains a step an epoch; returns what each step saw and came to, the epochs' figures, and the weights. */
async function train(plugins: readonly Plugin[], { epochs = 2, resume }: { epochs?: number; resume?: Snapshot } = {}) {
  const steps: BatchResult[] = [];
  const snapshots: Snapshot[] = [];
  const observer = observe(({ hooks }) => {
    hooks.onBatchEnd.tap('observer', (result) => void steps.push(structuredClone(result)));
    hooks.onEpochEnd.tap('observer', (_, run) => void snapshots.push(structuredClone(run.snapshot())));
  });
  const { epochs: metrics, snapshot } = await createTrainer({
    data: { ...squares([10, 3, 2, 1]), validation: squares().test },
    model: tinyModel(),
    plugins: [...plugins, observer],
    train: { epochs, batchSize: 16 },
    directory: await temporaryFolder(),
    ...(resume ? { resume } : {}),
  }).run();
  const figures = metrics.map(({ epoch, learningRate, train: { loss, accuracy }, test }) => ({
    epoch,
    learningRate,
    loss,
    accuracy,
    test: test && withoutConfusion(test),
  }));
  return { steps, snapshots, figures, state: snapshot!.state };
}

test('plugins go together unless they provide the same', async () => {
  const all = await Promise.all(Object.values(registry).map(async (load) => (await load()).default));
  for (const a of all) {
    for (const b of all) {
      if (a === b) continue;
      const together = [a(), b()];
      const needed = together.flatMap(({ definition }) => definition.requires ?? []);
      const provided = together.flatMap(({ definition }) => definition.provides ?? []);
      const mixer = needed.includes('mix') && !provided.includes('mix') ? [mixup()] : [];
      const clash = new Set(provided).size < provided.length;
      const composed = () => compose([...mixer, ...together], smallInfo({ epochs: 200 }));
      if (clash) expect(composed).toThrow(/both provide/);
      else expect(composed).not.toThrow();
    }
  }
});

describe.each(Object.entries(settings))('%s', (name, { options, beside = [] }) => {
  const load = async (): Promise<PluginFactory> => (await registry[name]!()).default;

  test('is named as its folder', async () => {
    expect((await load()).definition.name).toBe(name);
  });

  test('describes every option, and all have defaults or may be left out', async () => {
    const factory = await load();
    for (const option of describeOptions(factory.definition.options)) {
      expect(option.description, option.name).toMatch(/^\S.*\.$/);
      expect(option.type, option.name).not.toBe('');
    }
    expect(() => factory()).not.toThrow();
    expect(() => factory({ nonsense: 1 } as never)).toThrow(z.ZodError);
  });

  test('has the same options from YAML as from a call', async () => {
    const factory = await load();
    const { plugins } = await resolveConfig(
      { data: { name: 'digits' }, model: { name: 'mlp' }, plugins: [...beside, { use: name, ...options }] } as never,
      { registry, defaults: [] },
    );
    expect(plugins.at(-1)).toEqual(factory(options as never));
  });

  test('trains two steps, the same twice', async () => {
    const factory = await load();
    const plugins = () => [...beside, factory(options as never)];
    const { snapshots: _, ...first } = await train(plugins());
    const { snapshots: __, ...second } = await train(plugins());
    expect(first.steps).toHaveLength(2);
    for (const { loss } of first.steps) expect(loss).toBeGreaterThan(0);
    expect(second).toEqual(first);
  });

  test('goes on after a resume as if it had never stopped', async () => {
    const factory = await load();
    const plugins = () => [...beside, factory(options as never)];
    const whole = await train(plugins(), { epochs: 4 });
    const saved = JSON.parse(JSON.stringify(whole.snapshots[1]!.plugins));
    const resumed = await train(plugins(), { epochs: 4, resume: { ...whole.snapshots[1]!, plugins: saved } });
    expect(resumed.steps).toEqual(whole.steps.slice(2));
    expect(resumed.figures).toEqual(whole.figures);
    expect(resumed.state).toEqual(whole.state);
  });

  describe('its method card', () => {
    const card = existsSync(cardPath(name)) ? readFileSync(cardPath(name), 'utf8') : '';

    test('has the fixed headings', () => {
      expect(card.split('\n')[0]).toBe(`# ${name}`);
      expect([...card.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)).toEqual(HEADINGS);
    });

    test('has the options of the schema; `npx vitest run test/plugins/all-plugins.test.ts -u` rewrites them', async () => {
      const { definition } = await load();
      await expect(withOptionsTable(card, definition.options)).toMatchFileSnapshot(cardPath(name).pathname);
    });

    test('shows YAML that resolves and trains', async () => {
      const blocks = [...card.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, block]) => parse(block!));
      expect(blocks).toHaveLength(1);
      const { plugins } = await resolveConfig(
        { data: { name: 'digits' }, model: { name: 'mlp' }, ...blocks[0] },
        { registry, defaults: [] },
      );
      expect(plugins.map(({ definition }) => definition.name)).toContain(name);
      expect((await train(plugins)).steps).toHaveLength(2);
    });
  });
});
