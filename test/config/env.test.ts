// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders as configs have them.
import { basename } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { registry as builtIn, defaults as builtInDefaults } from '../../plugins/index.ts';
import { loadConfig } from '../../src/config/load.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { trainerOptions } from '../../src/config/trainer-options.ts';
import { createRunDirectory } from '../../src/tracking/run-directory.ts';
import { planRun } from '../../src/train/plan-run.ts';
import { messageOfError } from '../support/message.ts';
import { defaults, registry } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();
afterEach(() => void vi.unstubAllEnvs());

const SECRET = 'hunter2-do-not-log';

const upload = `import { definePlugin, z } from 'tailmix';
export default definePlugin({
  name: 'upload',
  options: z.strictObject({
    token: z.string().refine((token) => token.length > 3, { error: (issue) => \`expected a longer token than \${issue.input}\` }),
    port: z.coerce.number().optional(),
    headers: z.record(z.string(), z.string()).default({}),
  }),
  apply() {},
});
`;

const run = `data: { name: digits, root: "\${env:TAILMIX_TEST_ROOT}/digits" }
model: { name: small-cnn }
plugins:
  - use: ./upload.ts
    token: \${env:TAILMIX_TEST_TOKEN}
    port: \${env:TAILMIX_TEST_PORT:-8080}
    headers: { authorization: "Bearer \${env:TAILMIX_TEST_TOKEN}" }
`;

describe('${env:NAME}', () => {
  it('reaches the run, and nothing that is logged', async () => {
    vi.stubEnv('TAILMIX_TEST_TOKEN', SECRET);
    vi.stubEnv('TAILMIX_TEST_ROOT', '/data/private');
    await write({ 'run.yaml': run, 'upload.ts': upload });
    const config = await loadConfig('run.yaml', { registry, defaults });
    expect(config.options.data.root).toBe('/data/private/digits');
    expect(config.plugins[0]!.options).toEqual({
      token: SECRET,
      port: 8080,
      headers: { authorization: `Bearer ${SECRET}` },
    });
    const { plan } = await planRun(trainerOptions(config));
    const logged = stringify(config.resolved) + plan;
    expect(logged).toContain('${env:TAILMIX_TEST_TOKEN}');
    // A number from the environment decides results, so it is recorded.
    expect(logged).toContain('port: 8080');
    expect(logged).not.toMatch(/hunter2|private/);
  });

  it('leaves the hash alone', async () => {
    vi.stubEnv('TAILMIX_TEST_ROOT', '/data');
    vi.stubEnv('TAILMIX_TEST_TOKEN', SECRET);
    await write({ 'run.yaml': run, 'upload.ts': upload });
    const before = (await loadConfig('run.yaml', { registry })).hash;
    vi.stubEnv('TAILMIX_TEST_TOKEN', 'another');
    expect((await loadConfig('run.yaml', { registry })).hash).toBe(before);
  });

  it('stays a placeholder in messages, a plugin’s own too', async () => {
    vi.stubEnv('TAILMIX_TEST_TOKEN', 'hu2');
    const input = {
      data: { name: 'digits' },
      model: { name: '${env:TAILMIX_TEST_TOKEN}' },
      seed: '${env:TAILMIX_TEST_TOKEN}',
      plugins: [
        { use: './upload.ts', token: '${env:TAILMIX_TEST_TOKEN}', port: '${env:TAILMIX_TEST_TOKEN}' },
        { use: '${env:TAILMIX_TEST_TOKEN}' },
      ],
    };
    await write({ 'upload.ts': upload });
    const message = await messageOfError(() => resolveConfig(input, { registry }));
    expect(message).not.toContain('hu2');
    expect(message).toMatchInlineSnapshot(`
      "seed
        expected a whole number 0 or more, got "\${env:TAILMIX_TEST_TOKEN}".

      model.name
        expected one of resnet32, resnet18-cifar, resnet34-cifar, resnet18, resnet34, resnet50, resnet101, resnext50-32x4d, mobilenet-v2, convnext-tiny, vit-tiny-16, vit-small-16, vit-base-16, vit-small-14, vit-base-14, small-cnn, mlp, layers-model, graph-model, got "\${env:TAILMIX_TEST_TOKEN}".

      plugins[0].token
        expected a longer token than \${env:TAILMIX_TEST_TOKEN}, got "\${env:TAILMIX_TEST_TOKEN}".

      plugins[0].port
        expected a number, got "\${env:TAILMIX_TEST_TOKEN}".

      plugins[1].use
        there is no plugin "\${env:TAILMIX_TEST_TOKEN}". Built in: checkpoint, drw, lr-schedule, mixup, progress, remix, tracking.
        A path starts with ./; a package must be installed."
    `);
  });

  it('must be set or have a default', async () => {
    const text =
      'data: { name: digits, root: "${env:TAILMIX_TEST_NONE}" }\nmodel: { name: small-cnn }\nname: ${env:bad-name}\n';
    await write({ 'run.yaml': `${text}plugins: [{ use: "\${env:TAILMIX_TEST_NONE}" }]\n` });
    expect(await messageOfError(() => loadConfig('run.yaml', { registry }))).toMatchInlineSnapshot(`
      "run.yaml:1  data.root
        the environment has no TAILMIX_TEST_NONE. Set it, or give a default: \${env:TAILMIX_TEST_NONE:-default}.

      run.yaml:3  name
        expected \${env:NAME} or \${env:NAME:-default}, got "\${env:bad-name}".

      run.yaml:4  plugins[0].use
        the environment has no TAILMIX_TEST_NONE. Set it, or give a default: \${env:TAILMIX_TEST_NONE:-default}."
    `);
  });

  it('works in extends and in --set', async () => {
    vi.stubEnv('TAILMIX_TEST_BASE', 'bases');
    await write({
      'bases/run.yaml': 'data: { name: digits }\nmodel: { name: small-cnn }\n',
      'run.yaml': 'extends: ${env:TAILMIX_TEST_BASE}/run.yaml\n',
    });
    const config = await loadConfig('run.yaml', { registry, set: ['data.root=${env:TAILMIX_TEST_BASE}'] });
    expect(config.options.data.root).toBe('bases');
    expect(config.resolved.data).toMatchObject({ root: '${env:TAILMIX_TEST_BASE}' });
  });
});

describe('texts for people keep their placeholders in the run too, and what is typed is a value', () => {
  const labelled = `name: \${env:TAILMIX_TEST_TEAM}-remix
method: Remix of \${env:TAILMIX_TEST_TEAM}
data: { name: digits, root: "\${env:TAILMIX_TEST_TEAM}" }
model: { name: small-cnn }
seed: \${env:TAILMIX_TEST_SEED:-3}
train: { dropLast: "\${env:TAILMIX_TEST_DROP}", epochs: "\${env:TAILMIX_TEST_EPOCHS}" }
phases: [{ name: "\${env:TAILMIX_TEST_TEAM}" }]
plugins:
  - { use: mixup, alpha: "\${env:TAILMIX_TEST_ALPHA}" }
  - { use: mlflow, experiment: "\${env:TAILMIX_TEST_TEAM}", tags: { team: "\${env:TAILMIX_TEST_TEAM}" } }
`;
  const all = { registry: builtIn, defaults: builtInDefaults };
  const set = () => {
    vi.stubEnv('TAILMIX_TEST_TEAM', SECRET);
    vi.stubEnv('TAILMIX_TEST_DROP', 'true');
    vi.stubEnv('TAILMIX_TEST_EPOCHS', '7');
    vi.stubEnv('TAILMIX_TEST_ALPHA', '0.4');
  };

  it('name, method, phase, experiment, tags', async () => {
    set();
    await write({ 'run.yaml': labelled });
    const config = await loadConfig('run.yaml', all);
    const { options, plugins, phases } = config;
    expect(options).toMatchObject({
      name: '${env:TAILMIX_TEST_TEAM}-remix',
      method: 'Remix of ${env:TAILMIX_TEST_TEAM}',
    });
    expect(options.data.root).toBe(SECRET);
    expect(phases![0]!.name).toBe('${env:TAILMIX_TEST_TEAM}');
    expect(plugins.find(({ definition }) => definition.name === 'mlflow')!.options).toMatchObject({
      experiment: '${env:TAILMIX_TEST_TEAM}',
      tags: { team: '${env:TAILMIX_TEST_TEAM}' },
    });
    const planned = await planRun(trainerOptions(config));
    expect(stringify(config.resolved) + planned.plan + JSON.stringify(planned.info)).not.toContain(SECRET);
  });

  it('numbers, true and false are recorded and hashed', async () => {
    set();
    await write({ 'run.yaml': labelled });
    const load = () => loadConfig('run.yaml', all);
    const { resolved, hash, options } = await load();
    expect(options).toMatchObject({ seed: 3, train: { dropLast: true, epochs: 7 } });
    expect(resolved).toMatchObject({ seed: 3, train: { dropLast: true, epochs: 7 } });
    expect((resolved.plugins as unknown[])[0]).toMatchObject({ use: 'mixup', alpha: 0.4 });
    vi.stubEnv('TAILMIX_TEST_ALPHA', '0.5');
    expect((await load()).hash).not.toBe(hash);
    vi.stubEnv('TAILMIX_TEST_ALPHA', '0.40');
    vi.stubEnv('TAILMIX_TEST_TEAM', 'another');
    expect((await load()).hash).toBe(hash);
  });

  it.each(['', ' 7', '7 ', '0x7', '07', '1e', 'yes', 'null', '[7]', 'NaN', '__proto__'])(
    '%j is no number',
    async (value) => {
      set();
      vi.stubEnv('TAILMIX_TEST_EPOCHS', value);
      await write({ 'run.yaml': labelled });
      expect(await messageOfError(() => loadConfig('run.yaml', all))).toMatch(
        /train.epochs\n {2}expected a whole number above 0, got/,
      );
    },
  );

  it('a run directory has the name of the variable', async () => {
    set();
    const folder = await createRunDirectory('runs', '${env:TAILMIX_TEST_TEAM}-${env:B:-x} c', new Date(0));
    expect(basename(folder)).toBe('TAILMIX_TEST_TEAM-B-c-19700101-000000');
  });
});
