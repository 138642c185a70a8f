import { readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { hasClusterModule } from '../../src/backend/cluster-module.ts';
import { type CpuFeatures, cpuFeatures } from '../../src/backend/cpu.ts';
import { customOpsVariant, setUpCustomOps, whyNotCustomOps } from '../../src/backend/custom-ops.ts';
import { clusterFinding } from '../../src/backend/doctor-setup.ts';
import { whyNotNative } from '../../src/backend/native.ts';
import { nativeFolder } from '../../src/backend/paths.ts';
import { temporaryFolder } from '../support/temporary.ts';

const features = cpuFeatures('flags\t: avx avx2 fma avx512f avx512bw avx512cd avx512dq avx512vl\n')!;

afterEach(() => {
  vi.unstubAllEnvs();
});

test('the doctor says whether the module of clusters is compiled', async () => {
  expect(clusterFinding(await temporaryFolder())).toMatchObject({
    status: 'note',
    cure: expect.stringContaining('tailmix setup'),
  });
  if (hasClusterModule())
    expect(clusterFinding(nativeFolder('native'))).toMatchObject({ name: 'clusters', status: 'ok' });
});

test('why the custom ops are not used', () => {
  const missing = 'they are not compiled; run `tailmix setup`.';
  const old = { ...features, avx512: false, fma: false };
  const tooOld = 'they need a processor with AVX2 and FMA, or a 64-bit ARM.';
  expect(whyNotCustomOps('/nowhere', { arch: 'x64', cpu: features })).toBe(missing);
  expect(whyNotCustomOps('/nowhere', { arch: 'x64', cpu: { ...features, avx512: false } })).toBe(missing);
  expect(whyNotCustomOps('/nowhere', { arch: 'x64', cpu: old })).toBe(tooOld);
  expect(whyNotCustomOps('/nowhere', { arch: 'x64', cpu: null })).toBe(tooOld);
  expect(whyNotCustomOps('/nowhere', { arch: 'arm64', cpu: null })).toBe(missing);
  expect(cpuFeatures('flags\t: avx512f avx512cd avx512er\n')!.avx512).toBe(false);
  expect(cpuFeatures('processor\t: 0\nFeatures\t: fp asimd evtstrm aes\n')).toMatchObject({ neon: true, avx: false });
  vi.stubEnv('TAILMIX_OPS', '0');
  expect(whyNotCustomOps('/nowhere', { cpu: features })).toBe('TAILMIX_OPS=0 leaves them out.');
});

test('a compiler that fails leaves nothing behind, and training goes on without', async () => {
  vi.stubEnv('CXX', '/bin/false');
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'lib'));
  const why = await setUpCustomOps(folder);
  expect(why).toMatch(
    cpuFeatures()?.fma || process.arch === 'arm64'
      ? /^\/bin\/false could not compile its custom ops: /
      : /need a processor/,
  );
  expect(readdirSync(join(folder, 'lib'))).toEqual([]);
});

const folder = nativeFolder('native');
const absent = whyNotNative('native') ?? (process.arch === 'x64' ? whyNotCustomOps(folder) : 'this is no x86-64');
if (absent !== null) console.warn(`SKIPPED: which custom ops are used, ${absent}`);

test.skipIf(absent !== null)(
  'one cache serves every processor: each machine uses the best that it runs, or less if told so',
  () => {
    const on = (cpu: CpuFeatures | null) => customOpsVariant(folder, { cpu });
    const avx2 = { ...features, avx512: false };
    expect([on(features), on(avx2), on({ ...avx2, avx2: false }), on(null)]).toEqual(['avx512', 'avx2', null, null]);
    expect(customOpsVariant(folder)).toBe(cpuFeatures()!.avx512 ? 'avx512' : 'avx2');
    for (const [told, used] of [
      ['avx2', ['avx2', 'avx2']],
      ['avx512', ['avx512', 'avx2']],
      ['0', [null, null]],
      ['', ['avx512', 'avx2']],
    ] as const) {
      vi.stubEnv('TAILMIX_OPS', told);
      expect([on(features), on(avx2)], told).toEqual(used);
    }
  },
);
