import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { currentPlatform, whyUnsupported } from '../../src/backend/platform.ts';
import { setUpNative } from '../../src/backend/setup.ts';
import { setup } from '../../src/cli/setup.ts';
import { linux, offlineFolder, pretendBuild } from '../backend/fixtures/offline.ts';
import { temporaryFolder } from '../support/temporary.ts';

const unsupported = whyUnsupported(currentPlatform());
if (unsupported !== null) console.warn(`SKIPPED: tailmix setup is not tested, ${unsupported}`);
const onLinux = test.skipIf(unsupported !== null);

let output = '';
let errors = '';

beforeEach(async () => {
  output = '';
  errors = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    errors += text;
    return true;
  });
  vi.stubEnv('TAILMIX_CACHE', join(await temporaryFolder(), 'cache'));
  vi.stubEnv('TAILMIX_BACKEND', undefined);
  vi.stubEnv('CXX', undefined);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

onLinux('without a compiler, WASM serves and the exit code is 0', async () => {
  vi.stubEnv('PATH', '/nowhere');
  expect(await setup()).toBe(0);
  expect(output).toMatchInlineSnapshot(`
    "Training uses the WASM backend, which is slower. Native TensorFlow 2.21.0 is not set up: no C++ compiler was found (looked for c++, g++, clang++); install one, for example with \`apt install g++\` or \`dnf install gcc-c++\`, and run \`tailmix setup\` again.
    "
  `);
  output = '';
  expect(await setup({ json: true })).toBe(0);
  expect(JSON.parse(output)).toEqual({
    backend: 'wasm',
    tensorflow: null,
    folder: null,
    changed: false,
    problem: expect.stringContaining('no C++ compiler was found'),
    withoutCustomOps: null,
    device: null,
    seconds: expect.any(Number),
  });
});

onLinux('an install that was asked for and fails has an exit code', async () => {
  vi.stubEnv('PATH', '/nowhere');
  expect(await setup({ force: true })).toBe(1);
  expect(await setup({ gpu: true })).toBe(1);
  expect(errors).toContain('was not tested: no GPU was available');
  expect(await setup({ from: '/nowhere/x.whl' })).toBe(2);
});

onLinux('what is set up is reported, and nothing is done', async () => {
  vi.stubEnv('TAILMIX_OPS', '0');
  vi.stubEnv('CXX', '/bin/false');
  const root = process.env.TAILMIX_CACHE!;
  const from = offlineFolder(join(root, '..', 'offline'));
  const { folder } = await setUpNative({ root, from, platform: linux, build: pretendBuild });
  expect(await setup()).toBe(0);
  expect(output.replace(folder, '…')).toMatchInlineSnapshot(`
    "Ready: backend native, TensorFlow 2.21.0, in …
    Training does not use tailmix's custom ops, which are faster: TAILMIX_OPS=0 leaves them out.
    "
  `);
  expect(errors).toContain('Training on several machines is not available: /bin/false could not compile cluster.cc: ');
  expect(errors).not.toContain('Training on a device');
});

onLinux(
  'a build of an older tailmix gets the header of PJRT once a device is asked for, and says nothing before',
  async () => {
    vi.stubEnv('TAILMIX_OPS', '0');
    vi.stubEnv('CXX', '/bin/false');
    const root = process.env.TAILMIX_CACHE!;
    const wheel = offlineFolder(join(root, '..', 'offline'));
    const { folder } = await setUpNative({ root, from: wheel, platform: linux, build: pretendBuild });
    const header = join(folder, 'lib', 'pjrt_c_api.h');
    const files = readdirSync(join(folder, 'lib'));
    rmSync(header);
    expect(await setup()).toBe(0);
    expect(errors).not.toContain('on a device');
    expect(existsSync(header)).toBe(false);

    vi.stubEnv('TAILMIX_PJRT', '/opt/plugin.so');
    vi.stubEnv('PIP_NO_INDEX', '1');
    vi.stubEnv('PATH', '/nowhere');
    expect(await setup()).toBe(0);
    expect(errors).toMatch(
      /Training on a device is not available: the wheel of tensorflow-cpu 2\.21\.0 could not be fetched/,
    );

    errors = '';
    vi.stubEnv('PIP_FIND_LINKS', join(root, '..', 'offline'));
    expect(await setup()).toBe(0);
    expect(readFileSync(header, 'utf8')).toBe('// PJRT');
    expect(readdirSync(join(folder, 'lib'))).toEqual(files);
    expect(errors).toMatch(/Training on a device is not available: \/bin\/false could not compile pjrt\.cc: /);
    expect(existsSync(wheel)).toBe(true);
  },
);

test('TAILMIX_BACKEND=wasm needs no set-up', async () => {
  vi.stubEnv('TAILMIX_BACKEND', 'wasm');
  expect(await setup()).toBe(0);
  expect(output).toMatchInlineSnapshot(`
    "Training uses the WASM backend, which is slower. Native TensorFlow 2.21.0 is not set up: TAILMIX_BACKEND asks for WASM.
    "
  `);
});
