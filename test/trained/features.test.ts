import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { context } from '../../src/cli/context.ts';
import { exportRun, openRun } from '../../src/predict.ts';
import { tailmix } from '../cli/run.ts';
import { describeNative } from '../step/captured-support.ts';
import { writeTree } from '../support/image-tree.ts';
import { messageOfError } from '../support/message.ts';
import { inTemporaryFolder } from '../support/temporary.ts';

const folder = inTemporaryFolder();
const { TAILMIX_CACHE: before } = process.env;

const config = (data: string, model: string, more = '') => `name: photos
data: { name: image-folder, root: images, imageSize: 32, interpolation: bicubic, ${data} }
model: { name: resnet18, width: 2, ${model} }
train: { epochs: 1, batchSize: 4, step: eager }
plugins: [{ use: ema, decay: 0.5 }]
${more}`;

const photo = 'images/test/ant/0.png';

beforeAll(async () => {
  process.env.TAILMIX_CACHE = join(folder(), 'cache');
  await writeTree(join(folder(), 'images'), { train: { ant: 4, bee: 2 }, test: { ant: 1, bee: 1 } }, [40, 36]);
  await copyFile('test/models/published/resnet18.safetensors', join(folder(), 'resnet18.safetensors'));
  const weights = 'weights: ./resnet18.safetensors';
  const runs = {
    features: config('features: true', weights),
    frozen: config('augment: []', `${weights}, freeze: [backbone], frozenNorm: running`),
    init: config('features: true', 'init: runs/frozen'),
    phases: config(
      'features: true',
      weights,
      'phases: [{ epochs: 1 }, { epochs: 1, model: { freeze: [classifier] }, plugins: [{ use: lws }] }]',
    ),
  };
  for (const [name, text] of Object.entries(runs)) {
    await writeFile(join(folder(), `${name}.yaml`), text);
    const { code, stderr } = await tailmix(folder(), 'train', `${name}.yaml`, '--out', `runs/${name}`);
    expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
  }
});
function ownCache(): void {
  if (before === undefined) delete process.env.TAILMIX_CACHE;
  else process.env.TAILMIX_CACHE = before;
}
afterAll(ownCache);

interface Document {
  predictions: { top: { class: string }[]; logits: number[] }[];
}

async function predicted(run: string): Promise<Document['predictions'][0]> {
  const { code, stdout, stderr } = await tailmix(folder(), 'predict', `runs/${run}`, photo, '--json');
  expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
  return (JSON.parse(stdout) as Document).predictions[0]!;
}

const distance = (some: readonly number[], others: readonly number[]): number =>
  Math.max(...some.map((value, i) => Math.abs(value - others[i]!)));

test('a run on features predicts photos as the run with a frozen backbone does', async () => {
  const [features, frozen] = [await predicted('features'), await predicted('frozen')];
  expect(distance(features.logits, frozen.logits)).toBeLessThan(1e-5);
  expect(features.top[0]).toEqual(expect.objectContaining({ class: frozen.top[0]!.class }));
  const run = await openRun(join(folder(), 'runs/features'), context);
  expect(run.info).toMatchObject({ imageShape: [32, 32, 3], interpolation: 'bicubic' });
  expect(run.info).not.toHaveProperty('features');
  // Phases, and a start from another run, whose classifier it takes.
  expect((await predicted('phases')).logits.every(Number.isFinite)).toBe(true);
  expect(distance((await predicted('init')).logits, frozen.logits)).toBeGreaterThan(1e-5);
});

test('evaluate and mistakes take it as it is', async () => {
  const figures = async (run: string) => {
    const { stdout } = await tailmix(folder(), 'evaluate', `runs/${run}`, '--json');
    return (JSON.parse(stdout) as { loss: number }).loss;
  };
  expect(await figures('features')).toBeCloseTo(await figures('frozen'), 5);
  const mistaken = async (run: string) => {
    const { code, stdout } = await tailmix(folder(), 'mistakes', `runs/${run}`, '--json');
    expect(code).toBe(0);
    const { count, mistakes, files } = JSON.parse(stdout) as Record<'mistakes', { image: string; row: number }[]> & {
      count: number;
      files: string[];
    };
    return { count, images: mistakes.map(({ image }) => image), drawn: await readFile(files.at(-1)!) };
  };
  const [features, frozen] = [await mistaken('features'), await mistaken('frozen')];
  expect(features.count).toBe(2);
  // The picture shows the same images, in the same places.
  expect(features).toEqual(frozen);
  expect((await sharp(features.drawn).metadata()).format).toBe('png');
});

describe('on the native backend, which is in the cache of this machine', () => {
  const home = process.cwd();
  beforeAll(() => {
    ownCache();
    process.chdir(folder());
  });
  afterAll(() => {
    process.chdir(home);
    process.env.TAILMIX_CACHE = join(folder(), 'cache');
  });
  describeNative('exports of it', () => {
    test.each(['saved-model', 'tfjs', 'onnx'] as const)('%s is the network on images', async (format) => {
      const exported = await exportRun(join(folder(), 'runs/features'), { format, backend: 'native', ...context });
      expect(exported.files.map(({ path }) => path)).toContain('preprocessing.json');
      expect(exported.files.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThan(40_000);
    });

    test('int8 is calibrated and evaluated on its images, as that of the run with a frozen backbone', async () => {
      const rounded = async (run: string) => {
        const { int8, files } = await exportRun(join(folder(), `runs/${run}`), {
          ...{ format: 'onnx', int8: { calibrationImages: 4 }, backend: 'native', ...context },
        });
        const { calibration, test, bytes } = int8!;
        return { calibration, images: test.images, float32: test.float32, bytes, files: files.map(({ path }) => path) };
      };
      const features = await rounded('features');
      expect(features).toMatchObject({ calibration: { split: 'train', images: 4 }, images: 2 });
      expect(features).toEqual(await rounded('frozen'));
    });
  });
});

test('its backbone is found by hash when the file has moved; one that is nowhere is named', async () => {
  const before = await predicted('features');
  await rm(join(folder(), 'resnet18.safetensors'));
  expect(await predicted('features')).toEqual(before);
  await rm(join(folder(), 'cache/weights'), { recursive: true });
  const { code, stderr } = await tailmix(folder(), 'predict', 'runs/features', photo);
  expect([code, stderr.replaceAll(folder(), '…').split('\n').slice(0, 2).join('\n')]).toMatchInlineSnapshot(`
    [
      1,
      "…/runs/features/checkpoints/epoch-0001.safetensors: expected the file of its backbone, resnet18 with SHA-256 3f1081184dd5…, some of whose weights it leaves out; it is neither in the cache nor at resnet18.safetensors.
      Put resnet18.safetensors back there, or into runs/features.",
    ]
  `);
  expect(
    await messageOfError(() => exportRun(join(folder(), 'runs/frozen'), { format: 'onnx', ...context })),
  ).toContain('expected the file of its backbone, resnet18 with SHA-256');
});
