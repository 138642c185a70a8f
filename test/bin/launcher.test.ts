import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Ended, runCommand } from '../../src/backend/run-command.ts';
import { temporaryFolder } from '../support/temporary.ts';

const repository = join(import.meta.dirname, '..', '..');

/** Stands for the compiler: notes that it ran, and copies the sources, or fails if one says so. */
const compiler = `
const { appendFileSync, cpSync, readFileSync } = require('node:fs');
const out = process.argv.at(-1);
appendFileSync('compiled.log', 'x');
if (readFileSync('src/cli/index.js', 'utf8').includes('mistake')) { console.error('index.js: a mistake'); process.exit(2); }
cpSync('src', out + '/src', { recursive: true });
require('node:fs').writeFileSync(out + '/package.json', '{"type":"module"}');
`;

const main = (says: string): string =>
  `export const main = async (argv) => { console.log(${JSON.stringify(says)}, ...argv); return argv.length; };`;

interface Checkout {
  root: string;
  start: (...args: string[]) => Promise<Ended>;
  write: (file: string, text: string) => void;
  compilations: () => number;
}

async function checkout(): Promise<Checkout> {
  const root = await temporaryFolder();
  const write = (file: string, text: string): void => {
    mkdirSync(join(root, file, '..'), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  for (const file of ['tailmix.mjs', 'checkout.mjs', 'lock.mjs', 'make-folder.mjs', 'npm.mjs']) {
    cpSync(join(repository, 'bin', file), join(root, 'bin', file));
  }
  write('typescript/package.json', '{"name":"typescript","version":"1.0.0"}');
  write('typescript/bin/tsc', compiler);
  const dependencies = { typescript: 'file:typescript' };
  write('package.json', JSON.stringify({ name: 'tailmix', version: '1.0.0', dependencies }));
  const packages = {
    '': { name: 'tailmix', version: '1.0.0', dependencies },
    'node_modules/typescript': { resolved: 'typescript', link: true },
    typescript: { version: '1.0.0' },
  };
  write('package-lock.json', JSON.stringify({ name: 'tailmix', version: '1.0.0', lockfileVersion: 3, packages }));
  write('tsconfig.json', '{}');
  write('tsconfig.build.json', '{}');
  write('plugins/one/index.js', '');
  write('tfjs/bundle.mjs', 'export const bundleTensorflowJs = () => {};');
  write('src/cli/index.js', main('first'));
  const bin = join(root, 'bin', 'tailmix.mjs');
  const { TAILMIX_PREPARED: _prepared, ...env } = process.env;
  return {
    root,
    write,
    start: (...args) => runCommand([process.execPath, bin, ...args], { env }),
    compilations: () => readFileSync(join(root, 'compiled.log'), 'utf8').length,
  };
}

test('a fresh clone is installed and compiled once, by whichever process comes first', async () => {
  const { start, compilations } = await checkout();
  const runs = await Promise.all([start('a'), start('a'), start('a')]);
  expect(runs.map(({ code, stdout }) => ({ code, stdout }))).toEqual(Array(3).fill({ code: 1, stdout: 'first a\n' }));
  expect(runs.some(({ stderr }) => stderr.includes('installing dependencies (npm ci)'))).toBe(true);
  expect(compilations()).toBe(1);
  expect(await start()).toEqual({ code: 0, stdout: 'first\n', stderr: '' });
});

test('a changed, added or deleted source is compiled; nothing else is', async () => {
  const { root, start, write, compilations } = await checkout();
  await start();
  write('src/cli/index.js', main('second'));
  expect((await start()).stdout).toBe('second\n');
  write('plugins/two/index.js', '');
  await start();
  expect(compilations()).toBe(3);
  rmSync(join(root, 'plugins', 'two'), { recursive: true });
  await start();
  write('README.md', 'text');
  await start();
  expect(compilations()).toBe(4);
  write('plugins/one/README.md', 'text');
  await start();
  write('plugins/one/README.md', 'a table of its options');
  await start();
  expect(compilations(), 'a card that is written again').toBe(5);
});

test('what `npm run build` compiled is not compiled again, and has nothing of sources that are gone', async () => {
  const { root, start, write, compilations } = await checkout();
  write('src/old.js', '');
  await start();
  rmSync(join(root, 'src', 'old.js'));
  cpSync(join(repository, 'build.mjs'), join(root, 'build.mjs'));
  write('typescript/index.js', 'module.exports = {};');
  const { code, stderr } = await runCommand([process.execPath, 'build.mjs'], { cwd: root });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(await start()).toEqual({ code: 0, stdout: 'first\n', stderr: '' });
  expect(compilations()).toBe(2);
  expect(existsSync(join(root, 'dist', 'src', 'old.js'))).toBe(false);
});

test('processes that a started one starts use its build, though a source has changed since', async () => {
  const { start, write } = await checkout();
  write(
    'src/cli/index.js',
    `import { spawnSync } from 'node:child_process';
     import { appendFileSync } from 'node:fs';
     export const main = async ([role]) => {
       console.log(role ?? 'child');
       if (role !== 'parent') return 0;
       appendFileSync(new URL('../../../src/cli/index.js', import.meta.url), '// changed');
       return spawnSync(process.execPath, [process.argv[1]], { stdio: 'inherit' }).status;
     };`,
  );
  expect(await start('parent')).toEqual({ code: 0, stdout: 'parent\nchild\n', stderr: expect.any(String) });
  expect((await start('alone')).stderr).toBe('compiling …\n');
  expect((await start('alone')).stderr).toBe('');
});

test('dependencies are installed when the lock file asks for other versions, not when it is only newer', async () => {
  const { root, start, write } = await checkout();
  await start();
  const later = new Date(Date.now() + 60_000);
  utimesSync(join(root, 'package-lock.json'), later, later);
  expect((await start()).stderr).toBe('');
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  write('typescript/package.json', '{"name":"typescript","version":"1.0.1"}');
  write('package-lock.json', lock.replace('"typescript":{"version":"1.0.0"}', '"typescript":{"version":"1.0.1"}'));
  utimesSync(join(root, 'package-lock.json'), later, later);
  expect((await start()).stderr).toContain('installing dependencies (npm ci)');
});

test('sources that do not compile: the message of the compiler, exit code 1, and the old build stays', async () => {
  const { root, start, write } = await checkout();
  await start();
  write('src/cli/index.js', 'mistake');
  const { code, stdout, stderr } = await start();
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toBe('compiling …\nindex.js: a mistake\ntailmix: tsc failed, see above.\n');
  expect(readFileSync(join(root, 'dist', 'src', 'cli', 'index.js'), 'utf8')).toContain('first');
});

test('an installed package has sources to read, and is only started', async () => {
  const { root, start } = await checkout();
  await start();
  rmSync(join(root, 'tsconfig.build.json'));
  rmSync(join(root, 'package-lock.json'));
  expect(await start('x', 'y')).toEqual({ code: 2, stdout: 'first x y\n', stderr: '' });
  rmSync(join(root, 'dist'), { recursive: true });
  const { code, stderr } = await start();
  expect(code).toBe(1);
  expect(stderr.replace(root, '…')).toMatchInlineSnapshot(`
    "tailmix: …/dist/src/cli/index.js is missing; install tailmix again.
    "
  `);
});
