// TAILMIX_CUDA=FOLDER: sets up the real GPU build in that cache folder, 3.4 GB of downloads, unless it is there.
import process from 'node:process';
import { expect, test } from 'vitest';
import { gpuFindings } from '../../src/backend/doctor-gpu.ts';
import { bindingPath } from '../../src/backend/paths.ts';
import { runCommand } from '../../src/backend/run-command.ts';
import { setUpNative } from '../../src/backend/setup.ts';

const root = process.env.TAILMIX_CUDA;

test.skipIf(!root)(
  "NVIDIA's packages: all libraries load, and TensorFlow misses none of them",
  async () => {
    const { folder, stamp } = await setUpNative({ name: 'native-gpu', root: root! });
    expect(stamp.cuda).toHaveLength(12);
    const findings = await gpuFindings(folder);
    expect(findings.at(-1)).toMatchObject({ name: 'CUDA', status: 'ok' });

    const load = `console.log(require(${JSON.stringify(bindingPath(folder))}).isUsingGpuDevice())`;
    const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '0' };
    const { code, stdout, stderr } = await runCommand([process.execPath, '-e', load], { env });
    const hasGpu = findings.some(({ name }) => name === 'GPU');
    expect([code, stdout]).toEqual([0, `${hasGpu}\n`]);
    // What TensorFlow says where CUDA's runtime, or another of its libraries, is missing.
    expect(stderr).not.toMatch(/Could not find cuda drivers|Cannot dlopen/);
    if (!hasGpu) expect(stderr).toMatch(/Failed call to cuInit/);
  },
  3_600_000,
);
