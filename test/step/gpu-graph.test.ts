import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { expect, test, vi } from 'vitest';
import mixup from '../../plugins/mixup/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { whyNotNative } from '../../src/backend/native.ts';
import { NATIVE_PACKAGES, nativeFolder, stampPath } from '../../src/backend/paths.ts';
import { openStepBench } from '../../src/bench/step.ts';
import { savedModelBytes } from '../../src/graph/proto.ts';
import { temporaryFolder } from '../support/temporary.ts';

vi.mock('../../src/graph/proto.ts', { spy: true });

const cpu = nativeFolder('native');
const missing = whyNotNative('native') ?? whyNotNative('native-gpu')?.match(/needs Linux.*/)?.[0];
if (missing) console.warn(`SKIPPED: the graph for GPUs is not tested, ${missing}`);

/** A GPU build made of the CPU build, custom ops included: what there is without a GPU. */
async function pretendGpuBuild(): Promise<void> {
  const root = await temporaryFolder();
  vi.stubEnv('TAILMIX_CACHE', root);
  const gpu = nativeFolder('native-gpu', root);
  mkdirSync(join(gpu, 'node_modules', '@tensorflow'), { recursive: true });
  symlinkSync(join(cpu, 'lib'), join(gpu, 'lib'));
  cpSync(stampPath(cpu), stampPath(gpu));
  for (const name of [NATIVE_PACKAGES.native, 'google-protobuf']) {
    const to = name === NATIVE_PACKAGES.native ? NATIVE_PACKAGES['native-gpu'] : name;
    cpSync(join(cpu, 'node_modules', name), join(gpu, 'node_modules', to), { recursive: true });
  }
}

test.skipIf(missing)('on a GPU, the graph has no custom ops, which have no CUDA kernels', async () => {
  await pretendGpuBuild();
  const backend = await loadBackend('native-gpu');
  expect(backend.reason).toBe('requested by name; TensorFlow finds no GPU and works on the CPU');
  expect(process.env.TF_FORCE_GPU_ALLOW_GROWTH).toBe('true');

  const bench = await openStepBench({
    model: 'small-cnn',
    batch: 8,
    imageSize: 16,
    classes: 3,
    precision: 'fp32',
    step: 'captured',
    backend: 'native-gpu',
    plugins: [mixup()],
  });
  await bench.close();
  const graph = vi.mocked(savedModelBytes).mock.calls[0]?.[0];
  expect([...new Set(graph?.nodes.map(({ op }) => op))].sort().join(' ')).toMatchInlineSnapshot(
    `"Add AddV2 ArgMax AssignVariableOp BatchMatMulV2 BiasAdd Cast ConcatV2 Const Conv2D Conv2DBackpropFilter Conv2DBackpropInput DeepCopy ExpandDims FusedBatchNormGradV3 FusedBatchNormV3 Identity Mul Pack PadV2 Placeholder PlaceholderWithDefault ReadVariableOp RealDiv Relu ReluGrad Reshape Rsqrt Slice SparseSoftmaxCrossEntropyWithLogits SplitV Sub Sum VarHandleOp"`,
  );
});
