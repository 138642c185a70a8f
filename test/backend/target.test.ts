import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { compileBinding } from '../../src/backend/compile.ts';
import { type Platform, whyUnsupported } from '../../src/backend/platform.ts';
import { setUpNative } from '../../src/backend/setup.ts';
import { targetOf } from '../../src/backend/target.ts';
import { destinationOf, findWheel } from '../../src/backend/wheel-layout.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { linux, offlineFolder, pretendBuild } from './fixtures/offline.ts';

const arm: Platform = { ...linux, arch: 'arm64', cpu: null };
const mac: Platform = { os: 'darwin', arch: 'arm64', glibc: null, release: '21.1.0', cpu: null };

test('what machine it needs', () => {
  const says = (changes: Partial<Platform>, name?: 'native-gpu'): string | null =>
    whyUnsupported({ ...linux, ...changes }, name);
  expect([says({}), says({ cpu: null }), says({ glibc: '3.0' }), says(arm), says(mac)]).toEqual(Array(5).fill(null));
  expect(says({ os: 'win32' })).toMatchInlineSnapshot(`"on Windows it runs in WSL 2 only: install tailmix there."`);
  expect(says({ os: 'darwin' })).toMatchInlineSnapshot(
    `"it needs Linux on x86-64, Linux on arm64 or macOS on arm64, and this is darwin on x64, for which TensorFlow 2.21.0 has no library."`,
  );
  expect(says({ os: 'freebsd' })).toMatchInlineSnapshot(
    `"it needs Linux on x86-64, Linux on arm64 or macOS on arm64, and this is freebsd on x64, for which TensorFlow 2.21.0 has no library."`,
  );
  expect(says({ glibc: null })).toMatchInlineSnapshot(
    `"it needs glibc 2.27 or newer, this system has another C library (musl, as Alpine has); in a container, use an image with glibc, for example node:22-bookworm-slim."`,
  );
  expect(says({ glibc: '2.17' })).toMatchInlineSnapshot(`"it needs glibc 2.27 or newer, this system has glibc 2.17."`);
  expect(says({ ...arm, glibc: '2.26' })).toMatchInlineSnapshot(
    `"it needs glibc 2.27 or newer, this system has glibc 2.26."`,
  );
  expect(says({ ...mac, release: '20.6.0' })).toMatchInlineSnapshot(
    `"it needs macOS 12 or newer, this is Darwin 20.6.0."`,
  );
  expect(says({ cpu: { ...linux.cpu!, avx: false } })).toMatchInlineSnapshot(
    `"it needs a processor with AVX, this one (Test CPU) has none."`,
  );
  expect(says({}, 'native-gpu')).toBeNull();
  expect(says(arm, 'native-gpu')).toMatchInlineSnapshot(
    `"the GPU build needs Linux on x86-64, this is Linux on arm64."`,
  );
  expect(says(mac, 'native-gpu')).toMatchInlineSnapshot(
    `"the GPU build needs Linux on x86-64, this is macOS on arm64."`,
  );
});

/** File names and members of the wheels of TensorFlow 2.21.0 on the Python index, as `unzip -l` lists them. */
const published = [
  [linux, 'tensorflow_cpu-2.21.0-cp312-cp312-manylinux_2_27_x86_64.whl', 'so.2'],
  [arm, 'tensorflow-2.21.0-cp312-cp312-manylinux_2_27_aarch64.whl', 'so.2'],
  [mac, 'tensorflow-2.21.0-cp312-cp312-macosx_12_0_arm64.whl', '2.dylib'],
] as const;

test.each(published)('the published wheel of %o', (platform, file, suffix) => {
  const target = targetOf(platform.os, platform.arch)!;
  const members = [`libtensorflow_cc.${suffix}`, `libtensorflow_framework.${suffix}`];
  expect(members.map((name) => destinationOf(`tensorflow/${name}`, target))).toEqual(
    members.map((name) => join('lib', name)),
  );
  const names = published.map(([, name]) => name);
  const wanted = { project: target.wheels.native!, version: '2.21.0', target };
  expect(names.filter((name) => findWheel([name], String, wanted))).toEqual([file]);
});

test.each([
  ['Linux on arm64', arm],
  ['macOS on arm64', mac],
])('a set-up for %s', async (label, platform) => {
  const folder = await temporaryFolder();
  const from = offlineFolder(join(folder, 'offline'), platform);
  const options = { root: join(folder, 'cache'), platform, build: pretendBuild };
  const first = await setUpNative({ ...options, from });
  expect(first).toMatchObject({ changed: true, stamp: { wheel: basename(from) } });
  expect(basename(first.folder)).toMatch(new RegExp(`-${platform.os}-${platform.arch}$`));
  const { libraries } = targetOf(platform.os, platform.arch)!;
  for (const library of Object.values(libraries)) expect(readdirSync(join(first.folder, 'lib'))).toContain(library);
  expect(await setUpNative(options)).toEqual({ ...first, changed: false });

  const other = offlineFolder(join(folder, 'other'), linux);
  expect(await messageOfError(() => setUpNative({ ...options, force: true, from: other }))).toContain(
    `expected a wheel of tensorflow 2.21.0 for ${label} (any Python version)`,
  );
});

test.each([
  ['linux', 'arm64', '$ORIGIN', '-shared', 'libtensorflow_cc.so.2'],
  ['darwin', 'arm64', '@loader_path', '-bundle -undefined dynamic_lookup', '@rpath/libtensorflow_cc.2.dylib'],
] as const)('the commands of the compiler on %s %s', async (os, arch, origin, flags, loaded) => {
  const folder = await temporaryFolder();
  const compiler = join(folder, 'compiler');
  writeFileSync(compiler, `#!/bin/sh\necho "$@" >> '${folder}/said'\n`, { mode: 0o755 });
  for (const name of ['lib', 'include']) mkdirSync(join(folder, name));
  await compileBinding([compiler], folder, '@tensorflow/tfjs-node', targetOf(os, arch)!);
  const commands = readFileSync(join(folder, 'said'), 'utf8').trim().split('\n');
  expect(commands).toHaveLength(2);
  for (const command of commands) {
    expect(command).toContain(flags);
    expect(command).toContain(`-Wl,-rpath,${origin}`);
  }
  const { main, framework } = targetOf(os, arch)!.libraries;
  expect(commands[1]).toMatch(new RegExp(`${join(folder, 'lib', main)} ${join(folder, 'lib', framework)}$`));
  expect(readFileSync(join(folder, 'include', 'quiet_loader.cc'), 'utf8')).toContain(`dlopen("${loaded}", `);
});
