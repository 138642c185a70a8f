import { execFileSync } from 'node:child_process';
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { type DataInput, dataOptions, ownPreprocessing, withPreprocessing } from '../../src/data/options.ts';
import { preprocessingOf, preprocessingSource } from '../../src/models/published/preprocessing.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** A safetensors file of arrays of one float each. */
async function fileOf(names: readonly string[]): Promise<string> {
  const folder = await temporaryFolder();
  const entries = names.map((name, i) => [name, { dtype: 'F32', shape: [1], data_offsets: [4 * i, 4 * i + 4] }]);
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = join(folder, 'model.safetensors');
  await writeFile(file, Buffer.concat([length, header, Buffer.alloc(4 * names.length)]));
  return file;
}

test('the table, by the network and the form of the file', async () => {
  const of = async (name: 'resnet50' | 'mobilenet-v2' | 'vit-base-16' | 'vit-base-14', ...arrays: string[]) =>
    preprocessingOf({ name, file: await fileOf(arrays) });
  const sides = { imageSize: [224, 224], cropFraction: 0.875 };
  expect(await of('resnet50', 'conv1.weight')).toEqual({ ...sides, interpolation: 'bilinear', ...IMAGENET });
  expect(await of('mobilenet-v2', 'x')).toEqual({ ...sides, interpolation: 'bilinear', ...IMAGENET });
  const half = [0.5, 0.5, 0.5];
  expect(await of('vit-base-16', 'cls_token')).toMatchObject({ cropFraction: 0.9, mean: half, std: half });
  expect(await of('vit-base-14', 'blocks.0.ls1.gamma')).toEqual({ ...sides, interpolation: 'bicubic', ...IMAGENET });
  expect(await of('vit-base-16', 'encoder.layers.encoder_layer_0.ln_1.weight')).toEqual(await of('resnet50', 'x'));
  expect(await of('vit-base-16', 'visual.ln_pre.weight')).toMatchObject({
    cropFraction: 1,
    interpolation: 'bicubic',
    mean: [0.48145466, 0.4578275, 0.40821073],
  });
  expect(await preprocessingOf({ name: 'resnet50', file: '/nowhere/model.safetensors' })).toBeNull();
});

test('config.json next to the file decides; one of another program does not; a broken one is named', async () => {
  const file = await fileOf(['conv1.weight']);
  const folder = join(file, '..');
  const config = (content: string) => writeFile(join(folder, 'config.json'), content);
  const cfg = {
    input_size: [3, 288, 256],
    crop_pct: 0.95,
    interpolation: 'bicubic',
    mean: [0.1, 0.2, 0.3],
    std: [1, 2, 3],
  };
  await config(JSON.stringify({ architecture: 'resnet50', pretrained_cfg: { tag: 'a1_in1k', ...cfg } }));
  expect(await preprocessingOf({ name: 'resnet50', file })).toEqual({
    imageSize: [288, 256],
    cropFraction: 0.95,
    interpolation: 'bicubic',
    mean: [0.1, 0.2, 0.3],
    std: [1, 2, 3],
  });
  expect(await preprocessingSource(file)).toBe('config.json');
  await config('{"model_type": "resnet"}');
  expect(await preprocessingSource(file)).toBe('table');
  expect(await preprocessingOf({ name: 'resnet50', file })).toMatchObject(IMAGENET);
  const messages: string[] = [];
  for (const broken of ['{', JSON.stringify({ pretrained_cfg: { ...cfg, interpolation: 'lanczos' } })]) {
    await config(broken);
    messages.push(await messageOfError(() => preprocessingOf({ name: 'resnet50', file }), folder));
  }
  expect(messages).toMatchInlineSnapshot(`
    [
      "model.weights: …/config.json: the file: expected JSON. Get the file again, or move it away and set data.imageSize, cropFraction, interpolation, mean and std.",
      "model.weights: …/config.json: pretrained_cfg.interpolation: invalid option: expected one of "bilinear"|"bicubic". Get the file again, or move it away and set data.imageSize, cropFraction, interpolation, mean and std.",
    ]
  `);
});

test.runIf(process.platform !== 'win32')(
  'a config.json that is no file, or far too long, is named, and nothing waits for it',
  async () => {
    const file = await fileOf(['conv1.weight']);
    const config = join(dirname(file), 'config.json');
    const message = () => messageOfError(() => preprocessingOf({ name: 'resnet50', file }));
    execFileSync('mkfifo', [config]);
    expect(await message()).toMatch(/config\.json: the file: it is no file\. Get the file again, or move it away/);
    await rm(config);
    await mkdir(config);
    expect(await message()).toContain('config.json: the file: it is no file.');
    await rm(config, { recursive: true });
    await writeFile(config, '');
    await truncate(config, 1e12);
    expect(await message()).toContain('config.json: the file: it has 1000000000000 bytes, and 8388608 are the most.');
  },
);

test('what the config says stays; sets of grey images and points are left alone', () => {
  const found = {
    imageSize: [224, 224] as [number, number],
    cropFraction: 0.9,
    interpolation: 'bicubic' as const,
    ...IMAGENET,
  };
  const folder = (given: object) => withPreprocessing(dataOptions.parse({ name: 'image-folder', ...given }), found);
  expect(folder({})).toMatchObject(found);
  expect(folder({ imageSize: 96, interpolation: 'bilinear', mean: [0, 0, 0] })).toMatchObject({
    imageSize: 96,
    cropFraction: 0.9,
    interpolation: 'bilinear',
    mean: [0, 0, 0],
    std: IMAGENET.std,
  });
  const packed = folder({ imageSize: 96, packSize: 128 });
  expect(packed).toMatchObject({ imageSize: 96, packSize: 128, interpolation: 'bicubic' });
  expect(packed).not.toHaveProperty('cropFraction');
  expect(dataOptions.safeParse(packed).success).toBe(true);
  const cifar = withPreprocessing(dataOptions.parse({ name: 'cifar10' }), found);
  expect(cifar).toMatchObject(found);
  const digits = dataOptions.parse({ name: 'digits' });
  expect(withPreprocessing(digits, found)).toBe(digits);
});

test('the plan says what of it the config sets', () => {
  const found = {
    imageSize: [224, 224] as [number, number],
    cropFraction: 0.9,
    interpolation: 'bicubic' as const,
    ...IMAGENET,
  };
  const own = (given: Partial<DataInput>) =>
    ownPreprocessing(withPreprocessing(dataOptions.parse({ name: 'image-folder', ...given }), found), found);
  expect([
    own({}),
    own({ imageSize: 224, mean: IMAGENET.mean }),
    own({ imageSize: 96, interpolation: 'bilinear' }),
    own({ imageSize: 224, packSize: 256 }),
    own({ name: 'cifar10', imageSize: 32, std: [1, 1, 1] }),
  ]).toEqual([[], [], ['imageSize', 'interpolation'], ['packSize'], ['std', 'imageSize']]);
});
