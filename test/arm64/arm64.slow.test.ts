import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { beforeAll, describe, expect, test } from 'vitest';
import { bringBuildUpToDate } from '../support/build.ts';
import { shell } from '../support/installed.ts';
import { inTemporaryFolder } from '../support/temporary.ts';
import { armMachine } from './machine.ts';

const machine = await armMachine();
if (typeof machine === 'string') console.warn(`SKIPPED: Linux on arm64 under qemu: ${machine}`);

/** The custom ops against TensorFlow's, and against what they are composed of. */
const testFiles = [
  'test/backend/custom-convolution.test.ts',
  'test/step/captured-transformer.test.ts',
  'test/step/captured-fuse.test.ts',
  'test/step/custom-sgd.test.ts',
];

/** Emulation is slow: a few steps of each. `start` is a config of `npm start`, cut down to one epoch of 810 images. */
const runs: Record<string, string[]> = {
  tiny: ['configs/toy/moons-remix.yaml', '--set', 'train.epochs=1'],
  resnet: ['NETWORK', '--set', 'train.epochs=1'],
  start: [
    'configs/digits/remix-drw.yaml',
    '--set',
    'train.epochs=1',
    '--set',
    'data.profile=step',
    '--set',
    'data.ratio=801',
    '--set',
    'data.mu=0.9',
  ],
};

const network = {
  name: 'waves-resnet',
  data: { name: resolve('test/arm64/waves.mjs') },
  model: { name: 'resnet18-cifar', width: 16 },
  train: { epochs: 1, batchSize: 8, optimizer: { name: 'sgd', learningRate: 0.001, momentum: 0.9 } },
  plugins: [{ use: 'mixup', alpha: 1 }, { use: 'remix' }],
};

interface Reported {
  name: string;
  seconds: number;
  problem: string | null;
}

describe.skipIf(typeof machine === 'string')('Linux on arm64, emulated', { timeout: 1_800_000 }, () => {
  const folder = inTemporaryFolder();
  const on = (where: string, name: string): string => join(folder(), where, name);
  let reported: Reported[] = [];
  let stderr = '';

  const commandOf = (name: string, where: string): string[] => {
    const args = runs[name]!.map((arg) => (arg === 'NETWORK' ? join(folder(), 'network.json') : arg));
    return ['train', ...args, '--out', on(where, name)];
  };

  /** One process there for everything: it starts slowly. */
  beforeAll(() => {
    if (typeof machine === 'string') return;
    bringBuildUpToDate();
    writeFileSync(join(folder(), 'network.json'), JSON.stringify(network));
    const files = [...testFiles, 'test/step/captured-support.ts'].map((file) => emit(file, folder()));
    symlinkSync(resolve('dist/src'), join(folder(), 'src'));
    writeShim(folder());
    const names = Object.keys(runs);
    const work = {
      files: files.slice(0, -1),
      commands: [['setup', '--json'], ...names.map((name) => commandOf(name, 'arm64'))],
      cli: resolve('dist/src/cli/index.js'),
    };
    writeFileSync(join(folder(), 'work.json'), JSON.stringify(work));
    process.env.REAL_VITEST = pathToFileURL(resolve('node_modules/vitest/dist/index.js')).href;
    const program = join(folder(), 'program.mjs');
    writeFileSync(program, readFileSync('test/arm64/program.mjs'));
    const ended = machine.run(program, []);
    stderr = ended.stderr;
    expect(ended.code, stderr).toBe(0);
    reported = [...stderr.matchAll(/^@ (.*)$/gm)].map(([, line]) => JSON.parse(line!) as Reported);
    for (const name of names) {
      const command = ['node', resolve('bin/tailmix.mjs'), ...commandOf(name, 'x64')]
        .map((arg) => `'${arg}'`)
        .join(' ');
      const { code, stderr } = shell(process.cwd(), command, { TAILMIX_BACKEND: 'native', TAILMIX_THREADS: '2' });
      expect(code, stderr).toBe(0);
    }
    const seconds = Math.round(reported.reduce((sum, each) => sum + each.seconds, 0));
    console.log(`emulated: ${seconds} s of processor time for ${reported.length} steps`);
  }, 1_800_000);

  test('a set-up from the published wheel is complete, and recognised there', () => {
    if (typeof machine === 'string') return;
    expect(machine.build.stamp).toMatchObject({ tensorflow: '2.21.0' });
    expect(machine.build.stamp.wheel).toMatch(/^tensorflow-2\.21\.0-.*aarch64\.whl$/);
    expect(reported.find(({ name }) => name.startsWith('setup'))).toMatchObject({ problem: null });
  });

  test('the custom ops in NEON compute what TensorFlow and the composed form do', () => {
    expect(reported[0]).toMatchObject({ name: 'load', problem: null });
    const own = reported.filter(({ name }) => !/^(load|setup|train) ?/.test(name));
    expect(own.filter(({ problem }) => problem !== null)).toEqual([]);
    for (const what of ['custom convolution >', 'batch norm in training >', 'custom update of momentum >'])
      expect(
        own.some(({ name }) => name.includes(what)),
        what,
      ).toBe(true);
  });

  /** Rounding grows over the steps of `start`, at a learning rate of 0.1: x86-64 with and without custom ops differs by 6e-4. */
  test.each([
    ['tiny', 1e-5],
    ['resnet', 1e-4],
    ['start', 2e-2],
  ])('%s: captured steps give the loss of x86-64, to %d', (name, tolerance) => {
    expect(reported.find((each) => each.name.includes(join('arm64', name)))?.problem, stderr).toBeNull();
    const [there, here] = ['arm64', 'x64'].map((where) => epochsOf(on(where, name)));
    expect(there).toHaveLength(1);
    for (const [i, { train, test }] of there!.entries()) {
      const close = (a: number, b: number): void => expect(Math.abs(a / b - 1)).toBeLessThan(tolerance);
      close(train.loss, here![i]!.train.loss);
      close(test.loss, here![i]!.test.loss);
    }
  });
});

type Epoch = Record<'train' | 'test', { loss: number }>;

const epochsOf = (run: string): Epoch[] =>
  readFileSync(join(run, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Epoch);

/** Writes a test file in JavaScript to the same place under `folder`. */
function emit(file: string, folder: string): string {
  const compilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    rewriteRelativeImportExtensions: true,
    verbatimModuleSyntax: true,
  };
  const path = join(folder, file.replace(/\.ts$/, '.js'));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, ts.transpileModule(readFileSync(file, 'utf8'), { compilerOptions }).outputText);
  return path;
}

/** Files under `folder` import test/arm64/vitest.mjs as vitest. */
function writeShim(folder: string): void {
  const shim = join(folder, 'node_modules', 'vitest');
  mkdirSync(shim, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(shim, 'package.json'), '{ "type": "module", "exports": "./index.mjs" }');
  writeFileSync(join(shim, 'index.mjs'), readFileSync('test/arm64/vitest.mjs'));
}
