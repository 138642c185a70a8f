import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type SetupOptions, setUpNative } from '../../src/backend/setup.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { linux, offlineFolder, pretendBuild } from './fixtures/offline.ts';

async function offline(): Promise<SetupOptions & { root: string; from: string }> {
  const folder = await temporaryFolder();
  const from = offlineFolder(join(folder, 'offline'));
  return { root: join(folder, 'cache'), from, platform: linux, build: pretendBuild };
}

test('a set-up leaves one complete folder; the next does nothing', async () => {
  const options = await offline();
  const stages: string[] = [];
  const first = await setUpNative({ ...options, onStage: (stage) => stages.push(stage) });
  expect(first).toMatchObject({ changed: true, stamp: { tensorflow: '2.21.0', wheel: basename(options.from) } });
  expect(readdirSync(options.root)).toEqual([basename(first.folder)]);
  expect(readdirSync(first.folder).sort()).toEqual(['lib', 'node_modules', 'stamp.json']);
  expect(readdirSync(join(first.folder, 'node_modules')).sort()).toEqual(['@tensorflow', 'google-protobuf']);
  expect(stages).toContain('compiling the binding');

  const second = await setUpNative({ root: options.root, env: {}, onStage: (stage) => expect.fail(stage) });
  expect(second).toEqual({ ...first, changed: false });
  expect((await setUpNative({ ...options, force: true })).changed).toBe(true);
  expect(readdirSync(options.root)).toEqual([basename(first.folder)]);
});

test('a folder may be given instead of the wheel', async () => {
  const options = await offline();
  expect((await setUpNative({ ...options, from: dirname(options.from) })).changed).toBe(true);
});

test('a build with a file missing or cut short is not taken for complete', async () => {
  const options = await offline();
  const { folder } = await setUpNative(options);
  truncateSync(join(folder, 'lib', 'libtensorflow_cc.so.2'), 1);
  expect((await setUpNative(options)).changed).toBe(true);
  rmSync(join(folder, 'lib', 'tfjs_binding.node'));
  expect((await setUpNative(options)).changed).toBe(true);
  expect((await setUpNative(options)).changed).toBe(false);
});

test('of two set-ups at once, one works and the other waits for it', async () => {
  const options = await offline();
  let builds = 0;
  const build: SetupOptions['build'] = async (...args) => {
    builds += 1;
    return pretendBuild(...(args.slice(0, 2) as [unknown, string]));
  };
  const results = await Promise.all([setUpNative({ ...options, build }), setUpNative({ ...options, build })]);
  expect(builds).toBe(1);
  expect(results.map(({ changed }) => changed).sort()).toEqual([false, true]);
});

test('a set-up that is killed leaves nothing that counts, and the next one succeeds', async () => {
  const options = await offline();
  const script = fileURLToPath(new URL('./fixtures/killed-setup.ts', import.meta.url));
  const jiti = join(dirname(createRequire(import.meta.url).resolve('jiti')), 'jiti-cli.mjs');
  const child = spawn(process.execPath, [jiti, script, options.root, options.from]);
  const [said] = await once(child.stdout, 'data');
  expect(String(said)).toBe('building\n');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(readdirSync(options.root).some((entry) => entry.includes('.building-'))).toBe(true);
  const { folder, changed } = await setUpNative(options);
  expect(changed).toBe(true);
  expect(readdirSync(options.root)).toEqual([basename(folder)]);
});

test('a failing build leaves nothing behind, and the earlier build stays', async () => {
  const options = await offline();
  const { folder } = await setUpNative(options);
  const build = async (): Promise<string> => '2.9.1';
  expect(await messageOfError(() => setUpNative({ ...options, force: true, build }))).toMatchInlineSnapshot(
    `"TensorFlow 2.21.0 was expected, and the wheel holds 2.9.1; use a wheel of 2.21.0."`,
  );
  expect(readdirSync(options.root)).toEqual([basename(folder)]);
  expect((await setUpNative(options)).changed).toBe(false);
});

test.each([
  ['no compiler', { env: { PATH: '/nowhere' } }, 'c++, g++, clang++'],
  ['another compiler', { env: { PATH: '/nowhere', CXX: 'icpx -fast' } }, 'icpx'],
])('%s is told before anything is fetched', async (_what, changes, looked) => {
  const options = await offline();
  expect(await messageOfError(() => setUpNative({ ...options, ...changes }))).toBe(
    `no C++ compiler was found (looked for ${looked}); install one, for example with \`apt install g++\` or ` +
      '`dnf install gcc-c++`, and run `tailmix setup` again.',
  );
  expect(existsSync(options.root)).toBe(false);
});

test('a machine that TensorFlow cannot run on is told before anything is fetched', async () => {
  const options = await offline();
  const platform = { ...linux, glibc: null };
  expect(await messageOfError(() => setUpNative({ ...options, platform }))).toMatchInlineSnapshot(
    `"it needs glibc 2.27 or newer, this system has another C library (musl, as Alpine has); in a container, use an image with glibc, for example node:22-bookworm-slim."`,
  );
  expect(existsSync(options.root)).toBe(false);
});

test('--from must name a wheel of this version', async () => {
  const options = await offline();
  const folder = dirname(options.from);
  const other = join(folder, 'tensorflow_cpu-2.20.0-cp311-cp311-manylinux_2_27_x86_64.whl');
  writeFileSync(other, '');
  expect(await messageOfError(() => setUpNative({ ...options, from: other }), folder)).toMatchInlineSnapshot(
    `"--from …/tensorflow_cpu-2.20.0-cp311-cp311-manylinux_2_27_x86_64.whl: expected a wheel of tensorflow-cpu 2.21.0 for Linux on x86-64 (any Python version), or a folder that holds one; got none."`,
  );
  expect(await messageOfError(() => setUpNative({ ...options, from: join(folder, 'none.whl') }), folder)).toContain(
    'none.whl: expected a wheel',
  );
});

test('a cache that cannot be used is told', async () => {
  const options = await offline();
  writeFileSync(options.root, 'a file');
  expect(await messageOfError(() => setUpNative(options), options.root)).toMatchInlineSnapshot(
    `"… cannot be used: the system refused (EEXIST: file already exists, mkdir '…'). A file is where a folder is needed: set TAILMIX_CACHE to a folder that can be written."`,
  );
});

test('no network: one line that says what could not be fetched', async () => {
  const options = await offline();
  const env = {
    PATH: process.env.PATH,
    PIP_INDEX_URL: 'http://127.0.0.1:59999/simple',
    npm_config_registry: 'http://127.0.0.1:59999/',
  };
  const { from: _from, ...withoutFrom } = options;
  expect(await messageOfError(() => setUpNative({ ...withoutFrom, env }))).toMatch(
    /^npm could not fetch tfjs-node: .*ECONNREFUSED.*; check the network with `npm ping` and run `tailmix setup` again\.$/,
  );
});
