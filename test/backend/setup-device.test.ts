import { existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { deviceFindings } from '../../src/backend/doctor-device.ts';
import { installedPlugins } from '../../src/backend/installed-plugins.ts';
import { clientOptions } from '../../src/backend/pjrt-module.ts';
import type { SetupOptions } from '../../src/backend/setup.ts';
import { setUpDevicePlugin } from '../../src/backend/setup-device.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { zipOf } from '../support/zip.ts';
import { linux } from './fixtures/offline.ts';
import { serveWheels } from './fixtures/wheel-index.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Lines of the metadata of jax-cuda13-plugin 0.12.0.1 on the Python index, three of its thirteen packages of NVIDIA. */
const METADATA = `Name: jax-cuda13-plugin
Requires-Dist: jax-cuda13-pjrt==0.12.0.1
Requires-Dist: nvidia-cudnn-cu13<10.0,>=9.12.0.46; sys_platform == "linux" and extra == "with-cuda"
Requires-Dist: nvidia-cuda-nvcc>=13.0.48; sys_platform == "linux" and extra == "with-cuda"
Requires-Dist: nvidia-nvvm; extra == "with-cuda"
`;

const wheel = (name: string, python = 'py3-none') => `${name}-${python}-manylinux_2_27_x86_64.whl`;
const CUDA = {
  [wheel('jax_cuda13_pjrt-0.12.0.1')]: zipOf({
    'jax_plugins/xla_cuda13/xla_cuda_plugin.so': 'plugin',
    'jax_plugins/xla_cuda13/__init__.py': '',
  }),
  [wheel('jax_cuda13_plugin-0.12.0.1', 'cp312-cp312')]: zipOf({
    'jax_cuda13_plugin-0.12.0.1.dist-info/METADATA': METADATA,
    'jax_cuda13_plugin/_solver.so': 'for JAX alone',
  }),
  [wheel('nvidia_cudnn_cu13-9.28.1.4')]: zipOf({
    'nvidia/cudnn/lib/libcudnn.so.9': 'cudnn',
    'nvidia/cudnn/include/cudnn.h': '//',
  }),
  [wheel('nvidia_cuda_nvcc-13.5.37')]: zipOf({ 'nvidia/cu13/bin/ptxas': 'ptxas', 'nvidia/cu13/bin/nvcc': 'nvcc' }),
  [wheel('nvidia_nvvm-13.5.37')]: zipOf({
    'nvidia/cu13/lib/libnvvm.so.4': 'nvvm',
    'nvidia/cu13/nvvm/libdevice/libdevice.10.bc': 'bc',
    'nvidia/cu13/nvvm/bin/cicc': 'cicc',
  }),
};
const ROCM = {
  [wheel('jax_rocm7_pjrt-0.12.0')]: zipOf({ 'jax_plugins/xla_rocm7/xla_rocm_plugin.so': 'plugin' }),
};
const WHEELS: Record<string, Buffer> = { ...CUDA, ...ROCM };

async function index() {
  const { env, ...index } = await serveWheels(WHEELS);
  const root = join(await temporaryFolder(), 'cache');
  const options: SetupOptions = { root, env, platform: linux };
  return { options, root, ...index };
}

test('a plugin comes with the libraries that its metadata name, where it looks for them', async () => {
  const { options, root } = await index();
  const made = await setUpDevicePlugin('cuda13', options);
  expect(made).toMatchObject({ name: 'cuda13', changed: true });
  const files = readdirSync(made.folder, { recursive: true, withFileTypes: true });
  expect(
    files
      .filter((file) => file.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(made.folder.length + 1))
      .sort(),
  ).toEqual([
    'jax_plugins/xla_cuda13/xla_cuda_plugin.so',
    'nvidia/cu13/bin/ptxas',
    'nvidia/cu13/lib/libnvvm.so.4',
    'nvidia/cu13/nvvm/libdevice/libdevice.10.bc',
    'nvidia/cudnn/lib/libcudnn.so.9',
    'stamp.json',
  ]);
  expect(statSync(join(made.folder, 'nvidia/cu13/bin/ptxas')).mode & 0o100).toBe(0o100);
  expect(existsSync(join(root, 'downloads'))).toBe(false);
  expect(readdirSync(root).filter((name) => !name.startsWith('setup.lock'))).toEqual([
    'device-cuda13-0.12.0.1-linux-x64',
  ]);
  expect(installedPlugins(root, linux)).toEqual([{ ...made, changed: false }]);
  expect((await setUpDevicePlugin('cuda13', options)).changed).toBe(false);
  expect((await setUpDevicePlugin('cuda13', { ...options, force: true })).changed).toBe(true);
  truncateSync(join(made.folder, 'nvidia/cudnn/lib/libcudnn.so.9'));
  expect(installedPlugins(root, linux)).toEqual([]);
  expect((await setUpDevicePlugin('cuda13', options)).changed).toBe(true);
});

test('a set-up that ended in the middle goes on with the wheels that it has', async () => {
  const { options, refused, asked, base } = await index();
  const names = Object.keys(CUDA);
  refused.add(names[3]!);
  const message = await messageOfError(() => setUpDevicePlugin('cuda13', options), base);
  expect(message).toContain('the wheel of nvidia-cuda-nvcc >=13.0.48 could not be fetched');
  expect(installedPlugins(options.root, linux)).toEqual([]);
  refused.clear();
  expect((await setUpDevicePlugin('cuda13', options)).changed).toBe(true);
  expect(asked()).toEqual([...names.slice(0, 4), ...names.slice(3)]);
});

test("AMD's plugin alone: its libraries are on no index", async () => {
  const { options, asked } = await index();
  expect((await setUpDevicePlugin('rocm7', options)).plugin).toMatch(/xla_rocm7\/xla_rocm_plugin\.so$/);
  expect(asked()).toEqual(Object.keys(ROCM));
});

test('wheels of a folder are taken first, and need no network; what is no folder is refused', async () => {
  const { options, asked } = await index();
  const from = await temporaryFolder();
  for (const [name, content] of Object.entries(CUDA)) writeFileSync(join(from, name), content);
  const offline = { ...options, env: { ...options.env, PIP_NO_INDEX: '1' } };
  expect((await setUpDevicePlugin('cuda13', { ...offline, from })).changed).toBe(true);
  expect(asked()).toEqual([]);
  await expect(setUpDevicePlugin('cuda12', { ...options, from: join(from, 'none') })).rejects.toMatchObject({
    code: 'FROM',
  });
  await expect(
    setUpDevicePlugin('cuda12', { ...options, platform: { ...linux, os: 'darwin', arch: 'arm64' } }),
  ).rejects.toMatchObject({ code: 'PLATFORM_UNSUPPORTED' });
});

test('the doctor names a plugin that is set up and does not open, and what runs do then', async () => {
  const root = await temporaryFolder();
  vi.stubEnv('TAILMIX_CACHE', root);
  const folder = join(root, `device-rocm7-0.12.0-${process.platform}-${process.arch}`);
  const library = 'jax_plugins/xla_rocm7/xla_rocm_plugin.so';
  mkdirSync(join(folder, 'jax_plugins/xla_rocm7'), { recursive: true });
  writeFileSync(join(folder, library), 'none');
  writeFileSync(join(folder, 'stamp.json'), JSON.stringify({ wheels: [], createdAt: '', sizes: { [library]: 4 } }));
  const [finding] = await deviceFindings('/nowhere', process.env);
  expect(finding).toMatchObject({ name: 'device', status: 'note', cure: 'run `tailmix setup`' });
  expect(finding!.value).toContain(library);
  rmSync(folder, { recursive: true });
  expect(await deviceFindings('/nowhere', process.env)).toEqual([]);
});

test('memory is taken as needed, or a fraction at once', () => {
  const cuda = '/opt/xla_cuda_plugin.so';
  expect(clientOptions(cuda, {})).toEqual({ preallocate: false });
  expect(clientOptions(cuda, { TAILMIX_PJRT_MEMORY: '0.8' })).toEqual({ preallocate: true, memory_fraction: 0.8 });
  expect(clientOptions('/opt/cuda/pjrt_c_api_cpu_plugin.so', {})).toEqual({});
  for (const bad of ['0', '1.5', 'half'])
    expect(() => clientOptions(cuda, { TAILMIX_PJRT_MEMORY: bad })).toThrow('expected a fraction');
});
