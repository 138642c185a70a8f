import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { registry } from '../../plugins/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { whyNotNative } from '../../src/backend/native.ts';
import { describeOptions, withOptionsTable } from '../../src/cli/options-table.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { definePlugin, type PluginFactory } from '../../src/plugin.ts';
import { tf } from '../../src/tf.ts';
import { countTensors } from '../support/live-tensors.ts';
import { recordRun } from '../support/recorded-run.ts';
import { settings } from './settings.ts';

const HEADINGS = [
  'In a config',
  'Options',
  'Where it hooks',
  'Composes with',
  'Equation to code',
  'Deviations from the paper',
  'Attribution',
];

/** Left out of a card where nothing was measured. */
const RESULTS = 'Results we measured';

const pluginsFolder = new URL('../../plugins/', import.meta.url);
const cardPath = (name: string): URL => new URL(`${name}/README.md`, pluginsFolder);

const missing = whyNotNative('native');
if (missing !== null) console.warn(`SKIPPED: plugins in the captured step, ${missing}`);

beforeAll(async () => void (await loadBackend()));

test('registry, folders and settings name the same plugins', () => {
  const folders = readdirSync(pluginsFolder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(Object.keys(registry).sort()).toEqual(folders.map(({ name }) => name).sort());
  expect(Object.keys(settings).sort()).toEqual(Object.keys(registry).sort());
});

test('a plugin that keeps a tensor each epoch is found out', async () => {
  const leaky = definePlugin({
    name: 'leaky',
    options: z.strictObject({}),
    apply: ({ hooks }) => void hooks.onEpochBegin.tap('leaky', () => void tf.keep(tf.scalar(1))),
  });
  const { before, epochs, after } = await countTensors([leaky()], 'auto');
  expect(epochs[6]![0]! - epochs[0]![0]!).toBe(6);
  expect(after[0]! - before[0]!).toBe(7);
});

describe.each(Object.entries(settings))('%s', (name, { options, beside = [], reads }) => {
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
    const { prepared: _, ...plugin } = plugins.at(-1)!;
    expect(plugin).toEqual(factory(options as never));
  });

  test('trains two steps, the same twice', async () => {
    const factory = await load();
    const plugins = () => [...beside, factory(options as never)];
    const { snapshots: _, ...first } = await recordRun(plugins());
    const { snapshots: __, ...second } = await recordRun(plugins());
    expect(first.steps).toHaveLength(2);
    for (const { loss } of first.steps) expect(loss).toBeGreaterThan(0);
    expect(second).toEqual(first);
  });

  describe.each(['eager', 'captured'] as const)('%s', (step) => {
    test.skipIf(step === 'captured' && missing !== null)('trains and leaves no tensor behind', async () => {
      const factory = await load();
      const { mode, before, epochs, after } = await countTensors([...beside, factory(options as never)], step);
      expect(mode).toBe(step);
      expect(epochs).toHaveLength(7);
      for (const live of epochs.slice(1)) expect(live).toEqual(epochs[0]);
      expect(after).toEqual(before);
    });
  });

  test('goes on after a resume as if it had never stopped', async () => {
    const factory = await load();
    const plugins = () => [...beside, factory(options as never)];
    const whole = await recordRun(plugins(), { epochs: 4 });
    const saved = JSON.parse(JSON.stringify(whole.snapshots[1]!.plugins));
    const resumed = await recordRun(plugins(), { epochs: 4, resume: { ...whole.snapshots[1]!, plugins: saved } });
    expect(resumed.steps).toEqual(whole.steps.slice(2));
    expect(resumed.figures).toEqual(whole.figures);
    expect(resumed.state).toEqual(whole.state);
  });

  describe('its method card', () => {
    const card = existsSync(cardPath(name)) ? readFileSync(cardPath(name), 'utf8') : '';

    test('has the fixed headings, each with something below it', () => {
      expect(card.split('\n')[0]).toBe(`# ${name}`);
      const headings = [...card.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
      expect(headings).toEqual(headings.includes(RESULTS) ? HEADINGS.toSpliced(-1, 0, RESULTS) : HEADINGS);
      expect(card).not.toMatch(/none yet|^## .*\n+(?=## |$(?![\s\S]))/im);
    });

    test('has the options of the schema; `npx vitest run test/plugins/all-plugins.slow.test.ts -u` rewrites them', async () => {
      const { definition } = await load();
      await expect(withOptionsTable(card, definition.options)).toMatchFileSnapshot(cardPath(name).pathname);
    });

    test('shows YAML that resolves and trains', async () => {
      const blocks = [...card.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, block]) => parse(block!));
      expect(blocks).toHaveLength(1);
      for (const entry of blocks[0].plugins ?? []) if (entry.use === name) Object.assign(entry, reads);
      const { phases, ...run } = await resolveConfig(
        { data: { name: 'digits' }, model: { name: 'mlp' }, ...blocks[0] },
        { registry, defaults: [] },
      );
      const plugins = phases?.at(-1)?.plugins ?? run.plugins;
      expect(plugins.map(({ definition }) => definition.name)).toContain(name);
      expect((await recordRun(plugins)).steps).toHaveLength(2);
    });
  });
});
