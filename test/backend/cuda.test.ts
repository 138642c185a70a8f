import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cudaRequirements } from '../../src/backend/cuda.ts';
import { type SetupOptions, setUpNative } from '../../src/backend/setup.ts';
import { fitsSpecifier } from '../../src/backend/specifier.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { zipOf } from '../support/zip.ts';
import { linux, offlineFolder, pretendBuild } from './fixtures/offline.ts';
import { serveWheels } from './fixtures/wheel-index.ts';

/** Lines of the metadata of tensorflow 2.21.0 on the Python index, three of its twelve packages of NVIDIA. */
const METADATA = `Name: tensorflow
Classifier: Environment :: GPU :: NVIDIA CUDA :: 12
Requires-Dist: packaging
Requires-Dist: protobuf<8.0.0,>=6.31.1
Requires-Dist: tensorflow-io-gcs-filesystem>=0.23.1; python_version < "3.13" and extra == "gcs-filesystem"
Provides-Extra: and-cuda
Requires-Dist: absl-py>=1.0.0
Requires-Dist: nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"
Requires-Dist: nvidia-cuda-nvcc-cu12<13.0,>=12.5.82; extra == "and-cuda"
Requires-Dist: nvidia-cudnn-cu12<10.0,>=9.3.0.75; extra == "and-cuda"
`;

test('the packages that TensorFlow wants are read from its metadata', () => {
  expect(cudaRequirements(METADATA, 'and-cuda')).toEqual([
    { project: 'nvidia-cublas-cu12', specifier: '<13.0,>=12.5.3.2' },
    { project: 'nvidia-cuda-nvcc-cu12', specifier: '<13.0,>=12.5.82' },
    { project: 'nvidia-cudnn-cu12', specifier: '<10.0,>=9.3.0.75' },
  ]);
  expect(
    cudaRequirements(
      'Requires-Dist: a (==1.2) ; extra == \'x\'\nRequires-Dist: b; sys_platform == "linux" and extra == "x"\nRequires-Dist: c; extra == "y"',
      'x',
    ),
  ).toEqual([
    { project: 'a', specifier: '==1.2' },
    { project: 'b', specifier: '>=0' },
  ]);
});

test.each([
  ['12.9.1.4', '<13.0,>=12.5.3.2', true],
  ['13.0', '<13.0,>=12.5.3.2', false],
  ['12.5.3.1', '<13.0,>=12.5.3.2', false],
  ['12.10', '> 12.9, != 12.11', true],
  ['12.11.0', '> 12.9, != 12.11', false],
  ['12.6.0rc1', '>=12', false],
  ['2.21.0', '2.21.0', true],
  ['2.21', '==2.21.0', true],
  ['2.22', '<=2.21', false],
  ['2.21.1', '~=2.21.0', false],
  ['2.21.1', '==2.21.*', false],
])('%s fits %s: %s', (version, specifier, fits) => {
  expect(fitsSpecifier(version, specifier)).toBe(fits);
});

const wheelName = (project: string, version: string) =>
  `${project.replaceAll('-', '_')}-${version}-py3-none-manylinux_2_27_x86_64.whl`;

/** Wheels as NVIDIA's are, by file name. */
const WHEELS = {
  [wheelName('nvidia-cublas-cu12', '12.9.1.4')]: zipOf({
    'nvidia/cublas/lib/libcublas.so.12': 'cublas',
    'nvidia/cublas/lib/__init__.py': '',
    'nvidia/cublas/include/cublas.h': '//',
  }),
  [wheelName('nvidia-cuda-nvcc-cu12', '12.9.86')]: zipOf({
    'nvidia/cuda_nvcc/bin/ptxas': 'ptxas',
    'nvidia/cuda_nvcc/bin/nvlink': 'nvlink',
    'nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc': 'bc',
  }),
  [wheelName('nvidia-cudnn-cu12', '9.10.2.21')]: zipOf({
    'nvidia/cudnn/lib/libcudnn.so.9': 'cudnn',
    'nvidia/cudnn/lib/libcudnn_static.a': 'a',
    'elsewhere/lib/x.so': 'elsewhere',
  }),
};
const MORE = [
  wheelName('nvidia-cublas-cu12', '13.0.0.19'),
  wheelName('nvidia-cublas-cu12', '12.6.4.1'),
  wheelName('nvidia-cudnn-cu12', '9.5.0.50'),
  'nvidia_cudnn_cu12-9.10.2.21-py3-none-win_amd64.whl',
];

/** A Python index with NVIDIA's wheels, and a set-up that takes all else from a folder. */
async function gpuSetup(changes: { metadata?: string; digest?: string } = {}) {
  const more = Object.fromEntries(MORE.map((filename) => [filename, Buffer.alloc(0)]));
  const { env, ...index } = await serveWheels({ ...more, ...WHEELS }, changes.digest);
  const folder = await temporaryFolder();
  const from = offlineFolder(join(folder, 'offline'), linux, changes.metadata ?? METADATA);
  const root = join(folder, 'cache');
  const options: SetupOptions = {
    name: 'native-gpu',
    root,
    from,
    env: { ...env, CXX: '/bin/true' },
    platform: linux,
    build: pretendBuild,
  };
  return { options, root, folder, ...index };
}

test('CUDA comes from the wheels that TensorFlow names, only libraries, where these look for each other', async () => {
  const { options, root } = await gpuSetup();
  const stages: string[] = [];
  const { folder, stamp } = await setUpNative({ ...options, onStage: (stage) => stages.push(stage) });
  const files = readdirSync(join(folder, 'nvidia'), { recursive: true, withFileTypes: true });
  expect(
    files
      .filter((file) => file.isFile())
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['libcublas.so.12', 'libcudnn.so.9', 'libdevice.10.bc', 'nvlink', 'ptxas']);
  expect(readFileSync(join(folder, 'nvidia/cublas/lib/libcublas.so.12'), 'utf8')).toBe('cublas');
  expect(statSync(join(folder, 'nvidia/cuda_nvcc/bin/ptxas')).mode & 0o100).toBe(0o100);
  expect(stamp.cuda).toEqual(Object.keys(WHEELS));
  expect(stages).toContain('fetching nvidia-cuda-nvcc-cu12 (2 of 3)');
  expect(existsSync(join(root, 'downloads'))).toBe(false);

  expect((await setUpNative(options)).changed).toBe(false);
  rmSync(join(folder, 'nvidia/cudnn/lib/libcudnn.so.9'));
  expect((await setUpNative(options)).changed).toBe(true);
});

test('a set-up that ended in the middle goes on with the wheels that it has', async () => {
  const { options, refused, asked, folder, base } = await gpuSetup();
  const [first, second, third] = Object.keys(WHEELS) as [string, string, string];
  refused.add(third);
  const message = await messageOfError(() => setUpNative(options), folder);
  expect(message.replaceAll(base, 'http://index/')).toMatchInlineSnapshot(
    `"the wheel of nvidia-cudnn-cu12 <10.0,>=9.3.0.75 could not be fetched (…/offline: no wheel of nvidia-cudnn-cu12 <10.0,>=9.3.0.75 for Linux on x86-64; http://index/simple: http://index/files/nvidia_cudnn_cu12-9.10.2.21-py3-none-manylinux_2_27_x86_64.whl answered 404; pip: no Python was found); check the network and the index settings (PIP_INDEX_URL, pip.conf), or give a downloaded wheel: \`tailmix setup --from FILE\`."`,
  );
  refused.clear();
  expect((await setUpNative(options)).changed).toBe(true);
  expect(asked()).toEqual([first, second, third, third]);
});

test('a wheel with another checksum than the index says is refused', async () => {
  const { options, folder, base } = await gpuSetup({ digest: '0'.repeat(64) });
  const message = await messageOfError(() => setUpNative(options), folder);
  expect(message.replaceAll(base, 'http://index/')).toMatchInlineSnapshot(
    `"the wheel of nvidia-cublas-cu12 <13.0,>=12.5.3.2 could not be fetched (…/offline: no wheel of nvidia-cublas-cu12 <13.0,>=12.5.3.2 for Linux on x86-64; http://index/simple: http://index/files/nvidia_cublas_cu12-12.9.1.4-py3-none-manylinux_2_27_x86_64.whl does not have the published checksum and size; it was discarded; pip: no Python was found); check the network and the index settings (PIP_INDEX_URL, pip.conf), or give a downloaded wheel: \`tailmix setup --from FILE\`."`,
  );
});

test("wheels beside TensorFlow's are taken first: no network is needed", async () => {
  const { options, asked } = await gpuSetup();
  for (const [name, content] of Object.entries(WHEELS)) writeFileSync(join(options.from!, '..', name), content);
  expect((await setUpNative({ ...options, env: { ...options.env, PIP_NO_INDEX: '1' } })).changed).toBe(true);
  expect(asked()).toEqual([]);
});

test('a wheel that names no packages of CUDA is told', async () => {
  const { options, folder } = await gpuSetup({ metadata: 'Name: tensorflow\n' });
  expect(await messageOfError(() => setUpNative(options), folder)).toMatchInlineSnapshot(
    `"…/offline/tensorflow-2.21.0-cp311-cp311-manylinux_2_27_x86_64.whl names no packages of CUDA (its extra \`and-cuda\`); it is not the wheel that was wanted."`,
  );
});
