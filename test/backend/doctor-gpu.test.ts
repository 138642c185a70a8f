import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { gpuFindings } from '../../src/backend/doctor-gpu.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A library of this system; undefined where Node does not list those that it has loaded. */
const report = process.report?.getReport() as unknown as { sharedObjects?: string[] } | undefined;
const library = report?.sharedObjects?.find((path) => /\/libm\.so/.test(path));

async function build(libraries: Record<string, 'good' | 'bad'>) {
  const folder = await temporaryFolder();
  for (const [name, kind] of Object.entries(libraries)) {
    mkdirSync(join(folder, 'nvidia', name, 'lib'), { recursive: true });
    const path = join(folder, 'nvidia', name, 'lib', `lib${name}.so.1`);
    if (kind === 'bad') writeFileSync(path, 'no library');
    else copyFileSync(library!, path);
  }
  return folder;
}

async function smi(script: string): Promise<NodeJS.ProcessEnv> {
  const folder = await temporaryFolder();
  writeFileSync(join(folder, 'nvidia-smi'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { PATH: folder };
}

test('without a GPU build, there is nothing to say', async () => {
  expect(await gpuFindings('/nowhere')).toEqual([]);
});

const cure =
  "install NVIDIA's driver 525.60 or newer (in a container, start it with its GPUs), and check it with nvidia-smi";

test.skipIf(library === undefined)('driver, devices and libraries', async () => {
  const env = await smi("echo '580.65.06, NVIDIA H200, 143771 MiB\n580.65.06, NVIDIA H200, 143771 MiB'");
  expect(await gpuFindings(await build({ a: 'good', b: 'good' }), env)).toEqual([
    { name: 'NVIDIA driver', status: 'ok', value: '580.65.06' },
    { name: 'GPU', status: 'ok', value: 'NVIDIA H200, 143771 MiB; NVIDIA H200, 143771 MiB' },
    { name: 'CUDA', status: 'ok', value: '2 libraries, all load' },
  ]);
  expect((await gpuFindings(await build({ a: 'good', b: 'bad' }), env)).at(-1)).toEqual({
    name: 'CUDA',
    status: 'note',
    value: expect.stringMatching(/^does not load: libb\.so\.1: (file too short|invalid ELF header)$/),
    cure: 'run `tailmix setup --gpu --force`',
  });
});

test.each([
  ['no driver', null, 'not found (no nvidia-smi)'],
  ['an old driver', "echo '470.82.01, Tesla T4, 15109 MiB'", '470.82.01, older than 525.60'],
  ['no device', 'echo No devices were found; exit 6', 'no GPU: No devices were found'],
  ['silence', '', 'no GPU: nvidia-smi lists none'],
])('%s is told', async (_what, script, value) => {
  const env = script === null ? { PATH: '/nowhere' } : await smi(script);
  const findings = await gpuFindings(await build({}), env);
  expect(findings[0]).toEqual({ name: 'NVIDIA driver', status: 'note', value, cure });
  expect(findings.at(-1)).toMatchObject({ name: 'CUDA', value: 'its libraries are missing' });
});
