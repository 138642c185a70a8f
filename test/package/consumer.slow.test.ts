import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
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
  for (const name of ['package.json', 'assets', 'bin', 'configs'])
    cpSync(name, join(installed, name), { recursive: true });
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

test('options and hooks show their descriptions in an editor', { timeout: 120_000 }, () => {
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
  expect(hover('hooks.buildLoss', 'buildLoss')).toMatch(/^Once, before the first step/);
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

/** Bytes that a folder takes on a disk with blocks of 4 KiB, without what is in a node_modules of its own. */
function sizeOf(folder: string): number {
  let size = 4096;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) size += entry.name === 'node_modules' ? 0 : sizeOf(path);
    else if (entry.isFile()) size += Math.ceil(statSync(path).size / 4096) * 4096;
  }
  return size;
}

test('an install takes at most 120 MB, and its only TensorFlow.js is the bundle', { timeout: 120_000 }, () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  const installed = Object.entries(packages).flatMap(([path, { dev, devOptional }]) =>
    path === '' || dev || devOptional || !existsSync(path) ? [] : [path],
  );
  expect(installed.filter((path) => path.includes('tensorflow'))).toEqual([]);
  const own = ['CHANGELOG.md', 'docs', 'examples', 'native', 'plugins', 'src'];
  const place = join(folder, 'node_modules/tailmix');
  for (const name of own) cpSync(name, join(place, name), { recursive: true });
  const megabytes = [place, ...installed].reduce((sum, path) => sum + sizeOf(path), 0) / 2 ** 20;
  expect(megabytes).toBeGreaterThan(60);
  expect(megabytes).toBeLessThan(120);
  const licences = readFileSync(join(place, 'dist/tfjs/LICENSES.txt'), 'utf8');
  expect(licences.match(/^\S+ \d+\.\d+\.\d+: .*/gm)).toEqual([
    '@tensorflow/tfjs-backend-cpu 4.22.0: Apache-2.0',
    '@tensorflow/tfjs-backend-wasm 4.22.0: Apache-2.0',
    '@tensorflow/tfjs-converter 4.22.0: Apache-2.0',
    '@tensorflow/tfjs-core 4.22.0: Apache-2.0',
    '@tensorflow/tfjs-layers 4.22.0: Apache-2.0 AND MIT',
    'long 4.0.0: Apache-2.0',
    'seedrandom 3.0.5: MIT',
  ]);
});

test('`tf` is what @tensorflow/tfjs exports, without WebGL and tf.data, and computes the same', {
  timeout: 120_000,
}, () => {
  const run = (code: string): unknown =>
    JSON.parse(
      execFileSync(process.execPath, ['--input-type=module', '-e', code], {
        cwd: folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    );
  const work = `
    const x = tf.randomNormal([8, 9, 9, 3], 0, 1, 'float32', 7), w = tf.randomNormal([3, 3, 3, 4], 0, 1, 'float32', 8);
    const grads = tf.grads((x, w) => tf.conv2d(x, w, 2, 'same').relu().mean().exp())([x, w]);
    const layer = tf.layers.dense({ units: 2, inputShape: [3], kernelInitializer: tf.initializers.glorotNormal({ seed: 1 }) });
    const out = tf.sequential({ layers: [layer] }).predict(tf.ones([1, 3]));
    console.log(JSON.stringify({ names: Object.keys(tf), numbers: [...grads, out].map((y) => [...y.dataSync()]) }));`;
  const bundle = run(`import { tf } from 'tailmix'; await tf.setBackend('cpu'); ${work}`) as { names: string[] };
  const whole = pathToFileURL(resolve('node_modules/@tensorflow/tfjs/dist/tf.node.js')).href;
  const original = run(`import tf from ${JSON.stringify(whole)}; await tf.setBackend('cpu'); ${work}`) as {
    names: string[];
  };
  const { names, ...numbers } = bundle;
  expect(original.names.filter((name) => !names.includes(name)).sort()).toEqual([
    'GPGPUContext',
    'MathBackendWebGL',
    'data',
    'forceHalfFloat',
    'gpgpu_util',
    'setWebGLContext',
    'version',
    'version_webgl',
    'webgl',
    'webgl_util',
  ]);
  expect(names.filter((name) => !original.names.includes(name))).toEqual([]);
  expect({ ...original, names: undefined }).toEqual({ ...numbers, names: undefined });
});
