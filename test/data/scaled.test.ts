import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { describeData, loadData } from '../../src/data/load-data.ts';
import { createLoader } from '../../src/data/loader/loader.ts';
import { type DataInput, dataOptions } from '../../src/data/options.ts';
import { decodeInput } from '../../src/data/packed/decode.ts';
import { openAugment } from '../../src/data/transforms/augment.ts';
import { transformOptions } from '../../src/data/transforms/options.ts';
import { temporaryFolder } from '../support/temporary.ts';

const classes = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
const pixels = (i: number) =>
  Buffer.from(Array.from({ length: 3072 }, (_, k) => (k * 7 + i * 53 + (k >> 5) * 3) % 256));

/** One image of each class in `train` and what is held out. */
async function folder(held: 'test' | 'valid' = 'test'): Promise<string> {
  const root = await temporaryFolder();
  for (const [i, name] of classes.entries()) {
    for (const split of ['train', held]) {
      await mkdir(join(root, split, name), { recursive: true });
      const raw = { width: 32, height: 32, channels: 3 as const };
      await sharp(pixels(i), { raw })
        .png()
        .toFile(join(root, split, name, '0.png'));
    }
  }
  return root;
}

const augment = [transformOptions.parse({ name: 'random-resized-crop', interpolation: 'bicubic' })];
const given = { profile: 'none', imageSize: 56, cropFraction: 0.875, interpolation: 'bicubic' } as const;

async function rowsOf(data: Partial<DataInput>, { augmented, workers = 0 }: { augmented: boolean; workers?: number }) {
  const loaded = await loadData(dataOptions.parse(data), { cache: await temporaryFolder() });
  const { info, train, test } = loaded;
  const loader = createLoader({ shape: info.shape, augment: loaded.augment, seed: 3, workers });
  const { split, indices } = augmented ? train : test;
  const steps = [{ indices, positions: Int32Array.from(indices.keys()) }];
  try {
    for await (const rows of loader.load(split, steps, 2, augmented)) {
      const bytes = info.shape[0] * info.shape[1] * 3;
      return { info, images: Array.from(indices, (_, i) => [...rows.images.slice(i * bytes, (i + 1) * bytes)]) };
    }
  } finally {
    await loader.close();
  }
  throw new Error('no rows');
}

test('evaluation gives the model what predict gives it of the same file, in threads too', async () => {
  for (const [name, split] of [
    ['cifar10', 'test'],
    ['cinic10', 'valid'],
  ] as const) {
    const data = { name, root: await folder(split), ...given };
    const { info, images } = await rowsOf(data, { augmented: false });
    expect(info).toMatchObject({ shape: [56, 56, 3], packShape: [64, 64, 3], keptShape: [32, 32, 3] });
    expect(info.notes).toEqual([
      'of 32 × 32, scaled to 64 × 64 (bicubic), of which 56 × 56 are cut out, whenever they are read',
    ]);
    for (const [i, image] of images.entries()) {
      const path = join(data.root, split, classes[i]!, '0.png');
      const { shape, packShape, interpolation } = info;
      expect(image).toEqual([...(await decodeInput(path, shape, { packShape, interpolation }))]);
    }
    expect((await rowsOf(data, { augmented: false, workers: 1 })).images).toEqual(images);
  }
});

test('crops of training come from the image as it is kept; what is left smaller is scaled as for evaluation', async () => {
  const root = await folder();
  const { images } = await rowsOf({ name: 'cifar10', root, ...given, augment }, { augmented: true });
  const crop = openAugment(augment, [32, 32, 3], 3, 2, { target: [56, 56, 3] });
  for (const [i, image] of images.entries()) {
    const out = new Uint8Array(56 * 56 * 3);
    crop(pixels(i), 0, out, 0, i);
    expect(image).toEqual([...out]);
  }
  // The set's own transforms: a window of the image's own size, mirrored or not, then scaled.
  const own = await rowsOf({ name: 'cifar10', root, ...given }, { augmented: true });
  const scale = { shape: [64, 64, 3] as const, interpolation: 'bicubic' as const };
  const shifted = openAugment(
    [
      { name: 'pad-crop', padding: 4 },
      { name: 'flip', probability: 0.5 },
    ],
    [32, 32, 3],
    3,
    2,
  );
  const scaled = openAugment([], [32, 32, 3], 0, 0, { target: [56, 56, 3], scale });
  for (const [i, image] of own.images.entries()) {
    const [before, out] = [new Uint8Array(3072), new Uint8Array(56 * 56 * 3)];
    shifted(pixels(i), 0, before, 0, i);
    scaled(before, 0, out, 0, 0);
    expect(image).toEqual([...out]);
  }
});

test('five crops of a scaled image are its corners and its centre', () => {
  const scale = { shape: [64, 64, 3] as const, interpolation: 'bilinear' as const };
  const whole = new Uint8Array(64 * 64 * 3);
  openAugment([], [32, 32, 3], 0, 0, { target: [64, 64, 3], scale })(pixels(1), 0, whole, 0, 0);
  const crops = openAugment([], [32, 32, 3], 0, 0, { target: [56, 56, 3], scale, crops: 'five' });
  for (const [position, [top, left]] of [
    [0, 0],
    [0, 8],
    [8, 0],
    [8, 8],
    [4, 4],
  ].entries()) {
    const out = new Uint8Array(56 * 56 * 3);
    crops(pixels(1), 0, out, 0, position);
    const expected = Array.from({ length: 56 }, (_, y) => {
      const from = ((top! + y) * 64 + left!) * 3;
      return [...whole.slice(from, from + 56 * 3)];
    }).flat();
    expect([...out]).toEqual(expected);
  }
});

test('sizes of the sets without their images; 32 is no other size', async () => {
  const sizes = async (input: Partial<DataInput>) => {
    const { info } = await describeData(dataOptions.parse({ name: 'cifar100', root: '/nowhere', ...input }));
    return [info.shape[0], info.packShape?.[0], info.keptShape?.[0]];
  };
  expect([
    await sizes({}),
    await sizes({ imageSize: 32 }),
    await sizes({ imageSize: 224 }),
    await sizes({ imageSize: 224, packSize: 256 }),
    await sizes({ imageSize: 224, cropFraction: 0.9 }),
    await sizes({ cropFraction: 0.8 }),
    await sizes({ imageSize: 24 }),
  ]).toEqual([
    [32, undefined, undefined],
    [32, undefined, undefined],
    [224, undefined, 32],
    [224, 256, 32],
    [224, 248, 32],
    [32, 40, 32],
    [24, undefined, 32],
  ]);
});
