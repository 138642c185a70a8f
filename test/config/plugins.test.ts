import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { capture } from '../../src/graph/index.ts';
import { definePlugin, TailmixError, tf, z } from '../../src/index.ts';
import { openSpool } from '../../src/tracking/index.ts';
import { createMlflowClient } from '../../src/tracking/mlflow/index.ts';
import { defaults, registry } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();
const run = (use: string): string =>
  `data: { name: digits }\nmodel: { name: small-cnn }\nplugins:\n  - { use: ${use}, weight: 2 }\n`;

/** What a plugin got from `tailmix`, left on its definition. */
const own = `import { definePlugin, TailmixError, tf, z } from 'tailmix';
import { capture } from 'tailmix/graph';
import { createMlflowClient } from 'tailmix/mlflow';
import remix, { remixLambda } from 'tailmix/plugins/remix';
import { openSpool } from 'tailmix/tracking';

const options: z.ZodObject = z.strictObject({ weight: z.number() });
const copies = { capture, createMlflowClient, definePlugin, openSpool, TailmixError, tf, z, remix, remixLambda };
export default definePlugin({ name: 'own', options, apply() {}, copies } as never);
`;

describe('a plugin of a user’s own', () => {
  it.each(['./own.ts', './own.mts', './lib/own.ts'])('in %s gets the running copies of tailmix', async (file) => {
    await write({ 'run.yaml': run(file), [file]: own });
    const { plugins } = await loadConfig('run.yaml', { registry });
    expect(plugins[0]!.options).toEqual({ weight: 2 });
    const { copies } = plugins[0]!.definition as unknown as { copies: Record<string, unknown> };
    const running = { capture, createMlflowClient, definePlugin, openSpool, TailmixError, tf, z };
    for (const [name, copy] of Object.entries(running)) {
      expect(copies[name] === copy, name).toBe(true);
    }
    const remix = await registry.remix!();
    expect(copies.remix).toBe(remix.default);
    expect(copies.remixLambda).toBe((remix as unknown as typeof copies).remixLambda);
  });

  it('may be a package, ES module or CommonJS', async () => {
    await write({
      'node_modules/tailmix-own/package.json': '{ "type": "module", "exports": "./index.js" }',
      'node_modules/tailmix-own/index.js': `import { z } from '${import.meta.resolve('zod')}';
export default Object.assign(() => {}, { definition: { name: 'own', options: z.strictObject({ weight: z.number() }), apply() {} } });
`,
      'node_modules/@team/own/package.json': '{ "main": "index.cjs" }',
      'node_modules/@team/own/index.cjs': `const options = { safeParse: (data) => ({ success: true, data }) };
module.exports = Object.assign(() => {}, { definition: { name: 'other', options, apply() {} } });
`,
      'run.yaml': `${run('tailmix-own')}  - { use: "@team/own", weight: 3 }\n`,
    });
    const { plugins, resolved } = await loadConfig('run.yaml', { registry });
    expect(plugins.map(({ definition }) => definition.name)).toEqual(['own', 'other']);
    expect(resolved.plugins).toEqual([
      { use: 'tailmix-own', weight: 2 },
      { use: '@team/own', weight: 3 },
    ]);
  });

  it('may be one that was made by a call', async () => {
    const plugin = definePlugin({
      name: 'own',
      options: z.strictObject({
        scale: z.custom<() => void>(),
        weight: z.number().default(1),
      }),
      apply() {},
    })({ scale: function twice() {} });
    const config = await resolveConfig(
      { data: { name: 'digits' }, model: { name: 'small-cnn' }, plugins: [plugin] },
      { registry, defaults },
    );
    expect(config.plugins[0]).toBe(plugin);
    expect(config.resolved.plugins).toContainEqual({ use: 'own', scale: '[function twice]', weight: 1 });
  });
});
