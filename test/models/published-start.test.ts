import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaults, registry } from '../../plugins/index.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { trainerOptions } from '../../src/config/trainer-options.ts';
import { createModel, modelOptions } from '../../src/models/index.ts';
import { type PublishedName, publishedNames } from '../../src/models/model-names.ts';
import { dialects } from '../../src/models/published/families.ts';
import { matchWeights } from '../../src/models/published/match.ts';
import { type Dialect, inOurLayout, publishedShape } from '../../src/models/published/names.ts';
import { nearestNetwork } from '../../src/models/published/nearest.ts';
import { describePublished, readPublished } from '../../src/models/published/read.ts';
import type { Model } from '../../src/models/types.ts';
import { planRun } from '../../src/train/plan-run.ts';
import { openWeights } from '../../src/weights/index.ts';
import type { ArrayInfo } from '../../src/weights/types.ts';
import { messageOfError } from '../support/message.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = 'test/models/published';
const file = `${folder}/resnet18.safetensors`;
const modelOf = (
  options: { name: PublishedName; width?: number; head?: 'cosine'; bias?: boolean },
  classes = 5,
): Model => createModel(modelOptions.parse(options), { classes, imageShape: [112, 112, 3] });
const arraysOf = async (path: string) => {
  const { arrays, close } = await openWeights(path);
  await close();
  return arrays;
};

/** A safetensors file of float32 arrays, each filled with one value. */
async function write(arrays: ReadonlyMap<string, ArrayInfo>, fill = (_: string): number => 1): Promise<string> {
  let end = 0;
  const header: Record<string, object> = {};
  const parts: Float32Array[] = [];
  for (const [name, { shape }] of arrays) {
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(fill(name));
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + values.byteLength] };
    end += values.byteLength;
    parts.push(values);
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const path = join(await temporaryFolder(), 'file.safetensors');
  await writeFile(path, Buffer.concat([length, text, ...parts.map(({ buffer }) => new Uint8Array(buffer))]));
  return path;
}

const run = (model: object, more: object = {}) =>
  resolveConfig({ data: { name: 'cifar10' }, model, ...more }, { registry, defaults });

describe('model.weights', () => {
  test('arrays have their axes in our order', () => {
    const spec = { name: 'a/kernel', shape: [1, 2, 3, 2] };
    expect(publishedShape(spec)).toEqual([2, 3, 1, 2]);
    // [out, in, height, width]
    const published = Float32Array.from([0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121]);
    expect([...inOurLayout(published, spec)]).toEqual([0, 100, 10, 110, 20, 120, 1, 101, 11, 111, 21, 121]);
    // A matrix of more than one square that is copied at a time.
    const matrix = Float32Array.from({ length: 37 * 21 }, (_, i) => i);
    const own = inOurLayout(matrix, { name: 'a/kernel', shape: [37, 21] });
    expect([...own]).toEqual(Array.from(matrix, (_, i) => (i % 21) * 37 + Math.floor(i / 21)));
    expect(publishedShape({ name: 'a/depthwise/kernel', shape: [3, 3, 8, 1] })).toEqual([8, 1, 3, 3]);
    expect(publishedShape({ name: 'a/kernel', shape: [7, 4] })).toEqual([4, 7]);
  });

  test('a classifier is initialized anew for other classes, without a bias, and as a cosine head', async () => {
    const source = { name: 'resnet18', file } as const;
    const described = (options: object, classes?: number) =>
      describePublished(source, modelOf({ name: 'resnet18', width: 2, ...options }, classes));
    expect(await described({})).toEqual({
      source: `${file} (102 arrays, torchvision’s names)`,
      isNewClassifier: false,
    });
    const anew = { source: `${file} (100 arrays, torchvision’s names; it has 5 classes)`, isNewClassifier: true };
    expect(await described({}, 7)).toEqual(anew);
    const because = (why: string) => ({ ...anew, source: `${file} (100 arrays, torchvision’s names; ${why})` });
    expect(await described({ head: 'cosine' })).toEqual(because('the head here is not linear'));
    expect(await described({ bias: false })).toEqual(because('its classifier has a bias'));
    const unbiased = await write(new Map([...(await arraysOf(file))].filter(([name]) => name !== 'fc.bias')));
    const { source: withoutBias } = await describePublished(
      { ...source, file: unbiased },
      modelOf({ name: 'resnet18', width: 2 }),
    );
    expect(withoutBias).toMatch(/; its classifier has no bias\)$/);
    const without = new Map([...(await arraysOf(file))].filter(([name]) => !name.startsWith('fc.')));
    const headless = await describePublished(
      { ...source, file: await write(without) },
      modelOf({ name: 'resnet18', width: 2 }),
    );
    expect(headless.source).toMatch(/; it has no classifier\)$/);
  });

  test('another network: the first keys and the nearest network, in one message', async () => {
    const message = (options: { name: PublishedName; width?: number }, path = file) =>
      messageOfError(() => describePublished({ name: options.name, file: path }, modelOf(options)), `${path}: `);
    expect(await message({ name: 'resnet34', width: 2 })).toMatchInlineSnapshot(`
      "model.weights: …expected the weights of resnet34 as it is here.
        missing: layer1.2.conv1.weight [2, 2, 3, 3], layer1.2.bn1.weight [2], layer1.2.bn1.bias [2] and 77 more
        The nearest known network is resnet18 (all names): set model.name: resnet18."
    `);
    expect(await message({ name: 'resnet18', width: 4 })).toMatchInlineSnapshot(`
      "model.weights: …expected the weights of resnet18 as it is here.
        different: conv1.weight (expected [4, 3, 7, 7], got [2, 3, 7, 7]), bn1.weight (expected [4], got [2]), bn1.bias (expected [4], got [2]) and 97 more
        Its names are those of resnet18: set model.width and the channels of the images as it has them."
    `);
    const resnet34 = new Map(
      modelOf({ name: 'resnet34' }, 3).weights.map((spec) => [
        dialects.resnet34[0]!.nameOf(spec.name),
        info(publishedShape(spec)),
      ]),
    );
    expect(await message({ name: 'resnet50' }, await write(resnet34))).toMatchInlineSnapshot(`
      "model.weights: …expected the weights of resnet50 as it is here.
        missing: layer1.0.conv3.weight [256, 64, 1, 1], layer1.0.bn3.weight [256], layer1.0.bn3.bias [256] and 82 more
        different: layer1.0.conv1.weight (expected [64, 64, 1, 1], got [64, 64, 3, 3]), layer1.1.conv1.weight (expected [64, 256, 1, 1], got [64, 64, 3, 3]), layer1.2.conv1.weight (expected [64, 256, 1, 1], got [64, 64, 3, 3]) and 28 more
        The nearest known network is resnet34 (all names): set model.name: resnet34."
    `);
    expect(
      await message(
        { name: 'resnet18' },
        await write(
          new Map([
            ['a', info([2])],
            ['b', info([])],
          ]),
        ),
      ),
    ).toMatchInlineSnapshot(`
      "model.weights: …expected the weights of resnet18 as it is here.
        missing: conv1.weight [64, 3, 7, 7], bn1.weight [64], bn1.bias [64] and 97 more
        left over: a [2], b []
        Its names are those of no known network. Weights of resnet18, resnet34, resnet50, resnet101, resnext50-32x4d, mobilenet-v2, convnext-tiny, vit-tiny-16, vit-small-16, vit-base-16, vit-small-14 and vit-base-14 can be read, as torchvision and timm publish them."
    `);
  });

  test('a variant of a known network: no advice that would not help', async () => {
    const cure = async (name: PublishedName, change: (arrays: Map<string, ArrayInfo>) => void) => {
      const [dialect] = dialects[name];
      const model = modelOf({ name });
      const arrays = new Map(model.weights.map((spec) => [dialect!.nameOf(spec.name), info(publishedShape(spec))]));
      change(arrays);
      const path = await write(arrays);
      return (await messageOfError(() => describePublished({ name, file: path }, model))).split('\n').at(-1)!;
    };
    const known =
      'Weights of resnet18, resnet34, resnet50, resnet101, resnext50-32x4d, mobilenet-v2, convnext-tiny, vit-tiny-16, vit-small-16, vit-base-16, vit-small-14 and vit-base-14 can be read, as torchvision and timm publish them.';
    const squeezed = await cure('resnet18', (arrays) => arrays.set('layer1.0.se.fc1.weight', info([4, 64, 1, 1])));
    expect(squeezed).toBe(
      `  The nearest known network is resnet18 (100 of 101 names), and this variant of it is not supported. ${known}`,
    );
    // A grouped convolution, which no ResNet-18 has.
    const grouped = await cure('resnet18', (arrays) => arrays.set('layer1.0.conv2.weight', info([64, 2, 3, 3])));
    expect(grouped).toBe(
      `  The nearest known network is resnet18 (all names), and this variant of it is not supported. ${known}`,
    );
    const grey = await cure('resnet18', (arrays) => arrays.set('conv1.weight', info([64, 1, 7, 7])));
    expect(grey).toBe(
      '  Its names are those of resnet18: set model.width and the channels of the images as it has them.',
    );
  });

  test('a file that has no network’s names is near none, whatever several weights are made of', () => {
    expect(nearestNetwork(new Map([['foo', { shape: [2], dtype: 'F32' }]]))).toBeNull();
    expect(nearestNetwork(new Map([['conv1.weight', { shape: [2, 2], dtype: 'I32' }]]))).toBeNull();
  });

  test.each(publishedNames)('%s is the nearest network of its own arrays', (name) => {
    const [dialect] = dialects[name];
    const arrays = new Map(
      modelOf({ name }, 10).weights.map((spec) => [dialect!.nameOf(spec.name), info(publishedShape(spec))]),
    );
    expect(nearestNetwork(arrays)).toMatchObject({ name });
    const { shared, all } = nearestNetwork(arrays)!;
    expect(shared).toBe(all);
  });

  test('MobileNetV2 has torchvision’s names, or timm’s', async () => {
    const { weights, head } = modelOf({ name: 'mobilenet-v2' });
    const [torchvision, timm] = dialects['mobilenet-v2'] as [Dialect, Dialect];
    const layers = [
      'stem/kernel',
      'stage1/block1/depthwise/kernel',
      'stage1/block1/project/norm/mean',
      'stage3/block2/expand/kernel',
    ];
    const more = [
      'stage3/block2/depthwise/norm/scale',
      'stage7/block1/project/norm/shift',
      'last/norm/variance',
      'classifier/bias',
    ];
    expect([...layers, ...more].map(timm.nameOf)).toEqual([
      'conv_stem.weight',
      'blocks.0.0.conv_dw.weight',
      'blocks.0.0.bn2.running_mean',
      'blocks.2.1.conv_pw.weight',
      'blocks.2.1.bn2.weight',
      'blocks.6.0.bn3.bias',
      'bn2.running_var',
      'classifier.bias',
    ]);
    for (const dialect of [torchvision, timm]) {
      const arrays = new Map(weights.map((spec) => [dialect.nameOf(spec.name), info(publishedShape(spec))]));
      expect(arrays.size).toBe(weights.length);
      const match = matchWeights({ weights, head: head! }, dialects['mobilenet-v2'], arrays);
      expect(match).toMatchObject({ dialect, classifier: 'taken', differences: [] });
    }
  });

  test('integers, values that are not finite and negative variances are refused', async () => {
    const arrays = await arraysOf(file);
    const model = modelOf({ name: 'resnet18', width: 2 });
    const read = async (fill: (name: string) => number) =>
      readPublished({ name: 'resnet18', file: await write(arrays, fill) }, model, () => true);
    const message = (fill: (name: string) => number) =>
      messageOfError(() => read(fill)).then((text) => text.replace(/^.*\.safetensors: /, ''));
    expect(await message((name) => (name === 'layer1.0.conv1.weight' ? Number.NaN : 1))).toBe(
      'layer1.0.conv1.weight: expected finite numbers, got NaN. Get the file again, or use another.',
    );
    expect(await message((name) => (name === 'bn1.running_var' ? -1 : 1))).toBe(
      'bn1.running_var: expected variances, finite and not negative, got -1. Get the file again, or use another.',
    );
    const path = await write(arrays);
    const bytes = await readFile(path);
    await writeFile(
      path,
      Buffer.from(
        bytes.toString('latin1').replace('"conv1.weight":{"dtype":"F32"', '"conv1.weight":{"dtype":"I32"'),
        'latin1',
      ),
    );
    expect(await messageOfError(() => describePublished({ name: 'resnet18', file: path }, model))).toContain(
      '\n  different: conv1.weight (expected floating-point numbers, got I32)\n',
    );
  });

  test('a config names the file by its checksum, which decides the hash; its place does not', async () => {
    const { options, hash, resolved } = await run({ name: 'resnet18', width: 2, weights: `./${file}` });
    const { weights } = options.model as { weights: { file: string; sha256: string } };
    expect(weights).toEqual({ file: `./${file}`, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const copy = join(await temporaryFolder(), 'other.safetensors');
    await copyFile(file, copy);
    expect((await run({ name: 'resnet18', width: 2, weights: copy })).hash).toBe(hash);
    expect((await resolveConfig(resolved, { registry, defaults })).hash).toBe(hash);
    expect((await run({ name: 'resnet18', width: 2 })).hash).not.toBe(hash);

    const changed = { name: 'resnet18', file, sha256: 'f'.repeat(64) } as const;
    expect(
      await messageOfError(() => readPublished(changed, modelOf({ name: 'resnet18', width: 2 }), () => true)),
    ).toMatch(
      /^model\.weights: test\/models\/published\/resnet18\.safetensors: expected a file with SHA-256 ffffffffffff…, got \w{12}…: it was changed\./,
    );
    expect(await messageOfError(() => run({ name: 'resnet18', weights: './none.pth' }))).toContain(
      'there is no such file',
    );
  });

  test('the plan says where weights begin, and refuses two beginnings', async () => {
    const plan = async (model: object) => (await planRun(trainerOptions(await run(model)))).plan;
    const lines = await plan({ name: 'resnet18', width: 2, weights: `./${file}`, freeze: ['backbone'] });
    expect(lines.split('\n').filter((line) => /^(starts from|frozen)/.test(line))).toEqual([
      `starts from             ${file} (100 arrays, torchvision’s names; it has 5 classes); classifier reinitialized`,
      'frozen                  backbone; batch norms by the batch',
    ]);
    const vit = { name: 'vit-tiny-16', width: 24, depth: 2, weights: `./${folder}/vit-tiny.safetensors` };
    expect(await plan({ ...vit, freeze: ['backbone'] })).toMatch(/\nfrozen {18}backbone\n/);
    expect(
      await messageOfError(() =>
        planRun({ data: { name: 'cifar10' }, model: { name: 'resnet18', width: 2, weights: file, init: 'first' } }),
      ),
    ).toBe(
      'model.weights: expected model.weights or model.init, got both. A run begins at one place: remove one of them.',
    );
  });
});

function info(shape: readonly number[]): ArrayInfo {
  return { shape, dtype: 'F32' };
}
