import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { cacheRoot } from '../../src/backend/paths.ts';
import { quickRun, tailmix } from '../cli/run.ts';
import { temporaryFolder } from '../support/temporary.ts';

const manifest = 'examples/sweep/kubernetes-job.yaml';
const validate = join(cacheRoot(), 'test', 'kubernetes-validate', 'bin', 'kubernetes-validate');
const hasValidate = existsSync(validate);
if (!hasValidate)
  console.warn(`SKIPPED: ${manifest} is not checked against Kubernetes' schema, ${validate} is missing.`);
const hasParallel = spawnSync('parallel', ['--version']).status === 0;
if (!hasParallel) console.warn('SKIPPED: the line of examples/sweep/README.md is not run, there is no GNU parallel.');

/** A folder with a `tailmix` for PATH. */
async function folderWithCommand(script: string): Promise<{ folder: string; env: NodeJS.ProcessEnv }> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'tailmix'), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, 'tailmix'), 0o755);
  return { folder, env: { ...process.env, TAILMIX_BACKEND: 'wasm', PATH: `${folder}:${process.env.PATH}` } };
}

test.runIf(hasValidate)('the Job keeps to the schema of Kubernetes', () => {
  const { status, stdout } = spawnSync(validate, ['--strict', manifest], { encoding: 'utf8' });
  expect([status, stdout]).toEqual([0, expect.stringContaining('passed')]);
});

test('the Job has an index for each run, and its command trains the run of its index', async () => {
  const { spec } = parse(readFileSync(manifest, 'utf8'));
  const { configs, seeds } = parse(readFileSync('configs/sweeps/digits.yaml', 'utf8'));
  expect(spec.completions).toBe(configs.length * seeds.length);
  const [{ command, args }] = spec.template.spec.containers;
  const { env } = await folderWithCommand('echo "$@"');
  const said = execFileSync(command[0], [...command.slice(1), ...args], { env: { ...env, JOB_COMPLETION_INDEX: '3' } });
  expect(String(said)).toBe('sweep --out runs/digits --run 3 --take-over\n');
});

test.runIf(hasParallel)(
  'the line of GNU parallel trains all runs',
  async () => {
    const { folder, env } = await folderWithCommand(`exec "${process.execPath}" "${resolve('bin/tailmix.mjs')}" "$@"`);
    await writeFile(join(folder, 'run.yaml'), quickRun);
    await writeFile(join(folder, 'digits.yaml'), 'configs: [run.yaml]\nseeds: [0, 1]\nset: { train.epochs: 1 }\n');
    const [, lines] = /```sh\n(.*?)tailmix report/s.exec(await readFile('examples/sweep/README.md', 'utf8'))!;
    execFileSync('sh', ['-c', lines!], { cwd: folder, env, stdio: 'pipe' });
    const { stdout } = await tailmix(folder, 'sweep', '--out', 'runs/digits', '--list', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ threads: 1, runs: [{ state: 'finished' }, { state: 'finished' }] });
  },
  300_000,
);
