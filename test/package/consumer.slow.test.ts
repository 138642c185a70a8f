import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cachedPackage } from '../support/installed.ts';
import { openEditor } from '../support/language-service.ts';

let folder: string;
const program = readFileSync('test/package/consumer.ts', 'utf8');

/** A project with the package as it is built for publishing, and this program in it. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailmix-consumer-'));
  const installed = join(folder, 'node_modules/tailmix');
  mkdirSync(installed, { recursive: true });
  for (const name of ['package.json', 'bin', 'configs']) cpSync(name, join(installed, name), { recursive: true });
  symlinkSync(resolve('node_modules'), join(installed, 'node_modules'));
  execFileSync(process.execPath, ['build.mjs', join(installed, 'dist')], { stdio: 'pipe' });
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  writeFileSync(join(folder, 'program.ts'), program);
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
    typeRoots: [resolve('node_modules/@types')],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
}, 300_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** The compiler of a version of TypeScript: that of this checkout, or one that is installed once into the cache. */
function compiler(version: string): string {
  const own = resolve('node_modules/typescript');
  const { version: present } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8')) as { version: string };
  if (present.startsWith(version)) return join(own, 'bin/tsc');
  return cachedPackage('typescript', version, 'bin/tsc');
}

describe.each(['5.9.3', '6.0', '7.0.2'])('TypeScript %s, strict and without skipLibCheck', (version) => {
  test('our declarations and a program that uses them are right, and what is wrong in it is found', {
    timeout: 300_000,
  }, () => {
    const { stdout, stderr } = spawnSync(process.execPath, [compiler(version), '-p', folder, '--pretty', 'false'], {
      encoding: 'utf8',
      cwd: folder,
    });
    expect(stderr).toBe('');
    // Declarations of other packages are theirs to mend.
    const ours = stdout
      .split('\n')
      .filter((line) => /^(program\.ts|node_modules\/tailmix\/(dist|bin)\/|error )/.test(line));
    expect(ours).toEqual([]);
  });
});

test('an option shows its description in an editor', { timeout: 120_000 }, () => {
  const editor = openEditor(program, { file: join(folder, 'program.ts'), customConditions: [] });
  const hover = (text: string, name: string): string => {
    const at = program.indexOf(text);
    expect(at).toBeGreaterThan(0);
    return editor.hover(program.indexOf(name, at)).text;
  };
  expect(hover('train: { epochs: 2', 'batchSize')).toBe('Images per step.');
  expect(hover('train: { epochs: 2', 'epochs')).toMatch(/^Passes over/);
  expect(hover("data: { name: 'digits', ratio", 'ratio')).not.toBe('');
  expect(hover('remix({ kappa: 3', 'kappa')).not.toBe('');
  expect(hover('mixup({ alpha', 'alpha')).not.toBe('');
  expect(hover("optimizer: { name: 'adamw'", 'learningRate')).not.toBe('');
});

test.each([
  'tailmix',
  'tailmix/plugins',
  'tailmix/plugins/remix',
  'tailmix/predict',
  'tailmix/graph',
  'tailmix/tracking',
])("require('%s') gives what import gives, without a warning", { timeout: 120_000 }, (name) => {
  const code = `import(${JSON.stringify(name)}).then((module) => {
      const required = require(${JSON.stringify(name)});
      console.log(Object.keys(module).length, Object.keys(module).every((key) => required[key] === module[key]));
    });`;
  const file = join(folder, 'required.cjs');
  writeFileSync(file, code);
  const { stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8', cwd: dirname(file) });
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^[1-9]\d* true\n$/);
});
