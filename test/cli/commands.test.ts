import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { ended, quickRun, start, tailmix } from './run.ts';

async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

describe('exit codes and messages', () => {
  it('2 for a config that does not hold, with the report and nothing else', async () => {
    const folder = await folderWith({ 'run.yaml': quickRun.replace('epochs: 2', 'epoch: 2') });
    const { code, stdout, stderr } = await tailmix(folder, 'train', 'run.yaml', '--seed', 'x');
    expect({ code, stdout, stderr }).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "--seed x  seed
        expected a whole number 0 or more, got "x".

      run.yaml:4  train.epoch
        train has no option "epoch". Did you mean "epochs"? Options: epochs, batchSize, replicas, batchNorm, pairs, dropLast, onNaN, reduction, optimizer, precision, device, matmul, step.
      ",
        "stdout": "",
      }
    `);
  });

  it('2 for a wrong command, option or value', async () => {
    const folder = await temporaryFolder();
    expect(await tailmix(folder, 'trian')).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "error: unknown command 'trian'
      (Did you mean train?)
      (tailmix --help lists the commands)
      ",
        "stdout": "",
      }
    `);
    expect(await tailmix(folder, 'train', '--sed', '3')).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "error: unknown option '--sed'
      (Did you mean one of --seed, --set?)
      (tailmix train --help describes its options, with an example)
      ",
        "stdout": "",
      }
    `);
    expect(await tailmix(folder, 'sweep', 'x.yaml', '--jobs', '0')).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "error: option '--jobs <n>' argument '0' is invalid. Expected a whole number above 0.
      (tailmix sweep --help describes its options, with an example)
      ",
        "stdout": "",
      }
    `);
  });

  it('2 for plugins that do not go together', async () => {
    const plugins = '[{ use: remix }]';
    const folder = await folderWith({ 'run.yaml': quickRun.replace(/plugins: .*/, `plugins: ${plugins}`) });
    const { code, stderr } = await tailmix(folder, 'plan', 'run.yaml');
    expect({ code, stderr: stderr.replace(/Add .*mixup.*\./, 'Add ….') }).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "plugins[0] (remix) requires "mix", which no plugin provides.
        Add ….
      ",
      }
    `);
  });

  it('1 for a plugin that fails, in one line with its name; --debug shows where', async () => {
    const folder = await folderWith({
      'run.yaml': `${quickRun.replace(/plugins: .*\n/, '')}plugins: [{ use: ./own.ts }]\n`,
      'own.ts':
        "import { definePlugin, z } from 'tailmix';\nexport default definePlugin({ name: 'own', options: z.strictObject({}), apply() { throw new TypeError('undefined is not a function'); } });\n",
    });
    const { code, stderr } = await tailmix(folder, 'plan', 'run.yaml');
    expect(code).toBe(1);
    expect(stderr).toMatchInlineSnapshot(`
      "[own] apply: undefined is not a function
      "
    `);
    expect((await tailmix(folder, 'plan', 'run.yaml', '--debug')).stderr).toMatch(/own\.ts:2:\d+/);
  });
});

// Many processes in a row, each of which may wait for a build of changed sources.
vi.setConfig({ testTimeout: 300_000 });

describe('plan', () => {
  it('shows config, hooks and class counts, and trains nothing', async () => {
    const folder = await folderWith({ 'tailmix.config.yaml': quickRun });
    const { code, stdout } = await tailmix(folder, 'plan', '--set', 'plugins.remix.kappa=5', '--seed', '3');
    expect(code).toBe(0);
    expect(stdout).toContain('kappa: 5');
    expect(stdout).toContain('seed: 3');
    expect(stdout).toMatch(/^computeTargets +remix\(0\)$/m);
    expect(stdout).toMatch(/^class counts +801 480 287/m);
  });

  it('layers several configs', async () => {
    const folder = await folderWith({ 'run.yaml': quickRun.replace('name: quick\n', ''), 'long.yaml': 'seed: 7\n' });
    const { config } = JSON.parse((await tailmix(folder, 'plan', 'run.yaml', 'long.yaml', '--json')).stdout);
    expect(config).toMatchObject({ name: 'run-long', seed: 7, train: { epochs: 2 } });
  });

  it('is data with --json', async () => {
    const folder = await folderWith({ 'tailmix.config.yaml': quickRun });
    const { config, hash, info, provides } = JSON.parse((await tailmix(folder, 'plan', '--json')).stdout);
    expect(config.train.epochs).toBe(2);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(info.classCounts).toHaveLength(10);
    expect(provides).toEqual({ mix: 'mixup', relabel: 'remix' });
  });
});

describe('plugins', () => {
  it('lists them all, and the options of one', async () => {
    const folder = await temporaryFolder();
    const list = await tailmix(folder, 'plugins');
    expect(list.stdout).toMatch(/^remix +Gives the label/m);
    const one = await tailmix(folder, 'plugins', 'remix');
    expect(one.stdout).toContain('kappa: number > 1 or `.inf`, default 3');
    expect(one.stdout).toMatch(/method card +.*plugins[\\/]remix[\\/]README\.md/);
    const json = JSON.parse((await tailmix(folder, 'plugins', '--json')).stdout) as { name: string }[];
    expect(json.map(({ name }) => name)).toContain('mixup');
    const unknown = await tailmix(folder, 'plugins', 'remx');
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toMatch(
      /^plugins: there is no built-in plugin "remx"\. Did you mean "remix"\? Built in: .*mixup, .*\.$/m,
    );
  });
});

describe('init', () => {
  it('makes a config and a plugin that train, and overwrites nothing', async () => {
    const folder = await temporaryFolder();
    const made = await tailmix(folder, 'init', 'my-run');
    expect(made).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "Next: cd my-run && npx tailmix train  # trains the run of the config
      ",
        "stdout": "wrote my-run/tailmix.config.yaml
      wrote my-run/feature-norm.ts
      ",
      }
    `);
    const own = join(folder, 'my-run');
    const settings = ['train.epochs=1', 'train.step=eager', 'model.name=mlp', 'data.workers=0'];
    const trained = await ended(start(own, 'train', '--json', ...settings.flatMap((set) => ['--set', set])));
    expect(trained.code, trained.stderr).toBe(0);
    expect(trained.stderr).toMatch(/^plugins .*\bfeature-norm\b/m);
    const { status, directory } = JSON.parse(trained.stdout) as { status: string; directory: string };
    expect(status).toBe('finished');
    const [epoch] = (await readFile(join(directory, 'metrics.jsonl'), 'utf8')).split('\n');
    expect(JSON.parse(epoch!).train.penalties['feature-norm']).toBeGreaterThan(0);
    expect(await tailmix(folder, 'init', 'my-run')).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "init: expected to make my-run/tailmix.config.yaml and my-run/feature-norm.ts, which exist already. Choose another folder.
      ",
        "stdout": "",
      }
    `);
  });
});

describe('schema', () => {
  it('prints what the repository has', async () => {
    const folder = await temporaryFolder();
    expect((await tailmix(folder, 'schema')).stdout).toBe(await readFile('configs/schema.json', 'utf8'));
    expect((await tailmix(folder, 'schema', '--sweep')).stdout).toBe(
      await readFile('configs/sweep-schema.json', 'utf8'),
    );
  });
});

describe('evaluate', () => {
  it('needs a run', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'runs'));
    const { code, stderr } = await tailmix(folder, 'evaluate', 'nothing');
    expect({ code, stderr }).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "run "nothing": expected a run directory, or the name of a run in runs; found neither. There are no runs there yet.
      ",
      }
    `);
  });
});
