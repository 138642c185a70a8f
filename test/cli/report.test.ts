import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { report, sharedFolder } from '../../src/cli/report.ts';
import { writeSyntheticRun, writeSyntheticSweep } from '../report/synthetic-runs.ts';

let root: string;
let stdout: string;
let stderr: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tailmix-cli-report-'));
  stdout = '';
  stderr = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += text;
    return true;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(root, { recursive: true, force: true });
});

test('a folder of runs: the table, the path of the page, and the page', async () => {
  await writeSyntheticSweep(root, [1, 2]);
  expect(await report([root])).toBe(0);
  const path = join(root, 'report', `${basename(root)}.html`);
  expect(stdout).toContain(`\nReport: ${path}\n`);
  expect(stdout).toMatch(/^ERM +2 +\d/m);
  expect(stdout).toMatch(/^Remix-DRW +2 +\d\d\.\d±\d/m);
  expect(stderr).toBe(`Next: npx tailmix pictures ${root}  # mixed and wrong images, for the next report\n`);
  expect(await readFile(path, 'utf8')).toMatch(/^<!doctype html>/);
});

test('title and file have the name of the sweep, as its folder has it', async () => {
  const folder = join(root, 'my sweep');
  await writeSyntheticSweep(folder, [1]);
  expect(await report([folder])).toBe(0);
  const page = await readFile(join(folder, 'report', 'my-sweep.html'), 'utf8');
  expect(page).toContain('<title>my sweep: digits, 4 methods</title>');
  expect(await report([folder], { name: 'another', out: join(root, 'out') })).toBe(0);
  expect(await readdir(join(root, 'out'))).toContain('another.html');
});

test('--json prints one document', async () => {
  await writeSyntheticSweep(root, [1]);
  const out = join(root, 'elsewhere');
  expect(await report([root], { json: true, out })).toBe(0);
  const document = JSON.parse(stdout);
  expect(document.report).toBe(join(out, `${basename(root)}.html`));
  expect(document.methods.map(({ method }: { method: string }) => method)).toEqual([
    'ERM',
    'Mixup',
    'Remix',
    'Remix-DRW',
  ]);
  for (const method of document.methods) {
    expect(method).toMatchObject({ seeds: [1], backend: 'native', stepMode: 'captured', sd: null });
    expect(method.accuracy).toBeGreaterThan(0.5);
    expect(method.balancedAccuracy).toBeCloseTo(
      method.perClass.reduce((a: number, b: number) => a + b, 0) / method.perClass.length,
      12,
    );
    expect(method.seconds).toBeGreaterThan(0);
  }
});

test('what a reader must know goes to standard error', async () => {
  await writeSyntheticRun(root, { method: 'ERM', seed: 1, tailLift: 0, epochs: 2 });
  const broken = await writeSyntheticRun(root, { method: 'Remix', seed: 1, tailLift: 0, epochs: 2 });
  await writeSyntheticRun(root, { method: 'Mixup', seed: 1, tailLift: 0, epochs: 3 });
  await writeFile(join(broken, 'summary.json'), '{');
  expect(await report([root])).toBe(0);
  expect(stderr).toContain('Before comparing:\n  Different lengths of training: 2 epochs (ERM); 3 epochs (Mixup).');
  expect(stderr).toContain(`Left out:\n  ${broken}: summary.json is damaged: not JSON`);
  expect(stdout).not.toContain('Left out');
});

test('errors are thrown for the command line to print', async () => {
  await expect(report([root])).rejects.toMatchObject({ code: 'REPORT_NO_RUNS', exitCode: 2 });
  await expect(report([join(root, 'nowhere')])).rejects.toMatchObject({ code: 'REPORT_PATH' });
});

test('the folder that holds several paths', () => {
  expect(sharedFolder(['/runs/a'])).toBe('/runs/a');
  expect(sharedFolder(['/runs/a', '/runs/b/c'])).toBe('/runs');
  expect(sharedFolder(['/runs/a', '/runs/ab'])).toBe('/runs');
  expect(sharedFolder(['/x/a', '/y/a'])).toBe('/');
});
