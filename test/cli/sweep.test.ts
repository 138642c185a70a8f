import { existsSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { ended, quickRun, start, tailmix } from './run.ts';

// Many processes in a row, each of which may wait for a build of changed sources.
vi.setConfig({ testTimeout: 300_000 });

const diverges = quickRun.replace('train: { ', 'train: { optimizer: { name: sgd, learningRate: 1e30 }, ');

async function folderWith(files: Record<string, string>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

it('runs a grid, goes on where it was left, and reports', async () => {
  const folder = await folderWith({
    'remix.yaml': quickRun,
    'erm.yaml': `${quickRun.replace(/plugins: .*\n/, '')}method: ERM\n`,
    'mix.yaml': 'method: Remix\n',
    'sweep.yaml': 'configs: [erm.yaml, [remix.yaml, mix.yaml]]\nseeds: [0, 1]\nset: { train.epochs: 1 }\njobs: 2\n',
  });
  const first = await tailmix(folder, 'sweep', 'sweep.yaml');
  expect(first.code, first.stderr).toBe(0);
  const runs = await readdir(join(folder, 'runs/sweep'));
  expect(runs.map((run) => run.replace(/-\w{8}$/, '')).sort()).toEqual([
    'erm-seed0',
    'erm-seed1',
    'mlflow',
    'remix-mix-seed0',
    'remix-mix-seed1',
  ]);
  for (const label of ['erm seed 0', 'remix-mix seed 1']) {
    expect(first.stderr).toContain(`${label}: epoch 1 of 1`);
    expect(first.stderr).toContain(`${label}: finished`);
  }

  await rm(join(folder, 'runs/sweep', runs.find((run) => run.startsWith('remix-mix-seed1'))!), { recursive: true });
  const part = await tailmix(folder, 'sweep', 'sweep.yaml', '--only', 'erm*', '--json');
  expect(JSON.parse(part.stdout)).toMatchObject([
    { label: 'erm seed 0', status: 'skipped', configs: [join(folder, 'erm.yaml')] },
    { label: 'erm seed 1', status: 'skipped' },
  ]);
  expect(part.stderr).toMatch(/^sweep: 2 runs,/);
  const second = await tailmix(folder, 'sweep', 'sweep.yaml', '--report', '--json');
  expect(second.code, second.stderr).toBe(0);
  expect(second.stderr.match(/was finished before/g)).toHaveLength(3);
  const document = JSON.parse(second.stdout);
  expect(document.methods).toMatchObject([
    { method: 'ERM', seeds: [0, 1], backend: 'wasm', stepMode: 'eager' },
    { method: 'Remix', seeds: [0, 1], backend: 'wasm', stepMode: 'eager' },
  ]);
  for (const method of document.methods) {
    expect(method.accuracy).toBeGreaterThan(0);
    expect(method.balancedAccuracy).toBeGreaterThan(0);
    expect(method.perClass).toHaveLength(10);
    expect(method.seconds).toBeGreaterThan(0);
  }
  expect(existsSync(document.report)).toBe(true);
});

it('goes on after a run that fails, and says which at the end', async () => {
  const folder = await folderWith({
    'remix.yaml': quickRun,
    'diverges.yaml': diverges,
    'sweep.yaml': 'configs: [diverges.yaml, remix.yaml]\nset: { train.epochs: 1 }\n',
  });
  const { code, stderr, stdout } = await tailmix(folder, 'sweep', 'sweep.yaml', '--json');
  expect(code).toBe(1);
  expect(stderr).toMatch(/diverges seed 0 failed:\n {2}.*expected a finite loss/s);
  const outcomes = JSON.parse(stdout) as { directory: string; log: string | null }[];
  expect(outcomes).toMatchObject([
    { status: 'failed', log: `${outcomes[0]!.directory}.log` },
    { status: 'finished', log: null },
  ]);
  expect(await readFile(join(folder, outcomes[0]!.log!), 'utf8')).toMatch(/expected a finite loss/);
  expect(stderr).toMatch(/failed {2}diverges seed 0: .*expected a finite loss.*\.log\)/);

  // A file of the user's own that has the name of a log.
  const notes = join(folder, outcomes[0]!.log!);
  await writeFile(notes, 'my notes');
  const again = await tailmix(folder, 'sweep', 'sweep.yaml', '--json');
  expect(JSON.parse(again.stdout)).toMatchObject([{ status: 'failed', log: null }, { status: 'skipped' }]);
  expect(await readFile(notes, 'utf8')).toBe('my notes');
});

it('refuses what a run would refuse when it begins, before the first run, and trains nothing', async () => {
  const folder = await folderWith({
    'remix.yaml': quickRun,
    'sweep.yaml':
      'configs: [remix.yaml]\nseeds: [0, 1]\ngrid: { train.dropLast: [false, true] }\nset: { train.batchSize: 100000 }\n',
  });
  const { code, stderr } = await tailmix(folder, 'sweep', 'sweep.yaml', '--out', 'here');
  expect([code, stderr]).toMatchInlineSnapshot(`
    [
      2,
      "train.dropLast: expected at least one full batch in an epoch; there are 1985 training images, train.batchSize is 100000, and batches that are not full are left out: no step would run.
      Lower train.batchSize, or set train.dropLast: false.
      In remix dropLast=true.
    ",
    ]
  `);
  expect(await readdir(folder)).toEqual(['remix.yaml', 'sweep.yaml']);
});

it('ends at Ctrl-C with its runs, and resumes them', async () => {
  const folder = await folderWith({ 'remix.yaml': quickRun, 'sweep.yaml': 'configs: [remix.yaml]\nseeds: [0, 1]\n' });
  const args = ['sweep', 'sweep.yaml', '--set', 'train.epochs=30', '--json'];
  const child = start(folder, ...args);
  let told = '';
  let interrupted = false;
  child.stderr!.on('data', (text: Buffer) => {
    told += text;
    // A run has something to resume once it has ended an epoch.
    const begun = [0, 1].every((seed) => told.includes(`remix seed ${seed}: epoch 1 of 30`));
    if (begun && !interrupted) interrupted = child.kill('SIGINT');
  });
  const { code, stderr } = await ended(child);
  expect(code).toBe(130);
  expect(stderr).toContain('remix seed 0: stopped');
  const { stdout, stderr: second } = await tailmix(folder, ...args);
  expect(second).toContain('remix seed 0: resumes');
  expect(JSON.parse(stdout)).toMatchObject([{ status: 'finished' }, { status: 'finished' }]);
});

it('checks everything before the first run', async () => {
  const folder = await folderWith({
    'remix.yaml': quickRun,
    'erm.yaml': quickRun.replace(/plugins: .*\n/, '').replace('small', 'smal'),
    'bad.yaml': 'configs: [remix.yaml, remix.yaml]\nseed: [0]\nseeds: [-1]\ngrid: { train.epochs: 3, "a b": [1] }\n',
    'wrong.yaml':
      'configs: [erm.yaml, remix.yaml, none.yaml]\nset:\n  train.epoch: 1\ngrid:\n  plugins.remix.kappa: [0, 4]\n',
  });
  expect(await tailmix(folder, 'sweep', 'bad.yaml')).toMatchInlineSnapshot(`
    {
      "code": 2,
      "stderr": "bad.yaml:1  configs
      expected each config once, got ["remix.yaml","remix.yaml"].

    bad.yaml:3  seeds[0]
      expected a whole number 0 or more, got -1.

    bad.yaml:4  grid.train.epochs
      expected a list of at least 1, got 3.

    bad.yaml:2  seed
      a sweep has no option "seed". Did you mean "seeds"? Options: $schema, name, configs, methods, data, seeds, set, grid, search, baseline, jobs, out.

    bad.yaml:4  grid.a b
      expected a path such as train.epochs or plugins.remix.kappa, got "a b".
    ",
      "stdout": "",
    }
  `);
  expect(await tailmix(folder, 'sweep', 'wrong.yaml', '--set', 'train.batchSize=0')).toMatchInlineSnapshot(`
    {
      "code": 2,
      "stderr": "wrong.yaml:5  grid
      plugins has no entry "remix". Entries: progress, tracking, checkpoint, mlflow.
      In erm.yaml.

    --set train.batchSize=0  train.batchSize
      expected a whole number above 0, got 0.
      In erm.yaml, remix.yaml.

    wrong.yaml:3  set  train.epoch
      train has no option "epoch". Did you mean "epochs"? Options: epochs, batchSize, replicas, batchNorm, pairs, dropLast, onNaN, reduction, optimizer, precision, device, matmul, step.
      In erm.yaml, remix.yaml.

    wrong.yaml:5  grid  plugins[1].kappa
      expected a number above 1, or .inf, got 0.
      In remix.yaml.

    none.yaml: expected a config file; there is none.
    ",
      "stdout": "",
    }
  `);
  expect(existsSync(join(folder, 'runs'))).toBe(false);
});
