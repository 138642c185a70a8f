import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createModel, modelOptions } from '../../src/models/index.ts';
import { dialects } from '../../src/models/published/families.ts';
import { publishedShape } from '../../src/models/published/names.ts';
import { mapValues } from '../../src/util/map-values.ts';
import { photos } from '../support/photos-folder.ts';
import { tailmix } from './run.ts';

/** A file with the header of published weights; its numbers are a hole in the file. */
async function writeHeader(shapes: Readonly<Record<string, readonly number[]>>, path: string): Promise<void> {
  let end = 0;
  const header = mapValues(shapes, (shape) => {
    const begin = end;
    end += 2 * shape.reduce((a, b) => a * b, 1);
    return { dtype: 'F16', shape, data_offsets: [begin, end] };
  });
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  await writeFile(path, Buffer.concat([length, text]));
  await truncate(path, 8 + text.length + end);
}

/** torchvision's names and shapes of a network. */
function torchvision(name: 'resnet18' | 'mobilenet-v2'): Record<string, number[]> {
  const { weights } = createModel(modelOptions.parse({ name }), { classes: 1000, imageShape: [224, 224, 3] });
  return Object.fromEntries(weights.map((spec) => [dialects[name][0]!.nameOf(spec.name), publishedShape(spec)]));
}

/** timm's names and shapes of ViT-Ti/16. */
function timmViT(): Record<string, number[]> {
  const layer = (name: string, ...shape: number[]) => ({
    [`${name}.weight`]: shape,
    [`${name}.bias`]: shape.slice(0, 1),
  });
  const block = (at: string) => ({
    ...layer(`${at}.norm1`, 192),
    ...layer(`${at}.attn.qkv`, 576, 192),
    ...layer(`${at}.attn.proj`, 192, 192),
    ...layer(`${at}.norm2`, 192),
    ...layer(`${at}.mlp.fc1`, 768, 192),
    ...layer(`${at}.mlp.fc2`, 192, 768),
  });
  return {
    cls_token: [1, 1, 192],
    pos_embed: [1, 197, 192],
    ...layer('patch_embed.proj', 192, 3, 16, 16),
    ...Object.assign({}, ...Array.from({ length: 12 }, (_, i) => block(`blocks.${i}`))),
    ...layer('norm', 192),
    ...layer('head', 1000, 192),
  };
}

describe('init FOLDER with published weights', () => {
  it('starts from those beside the images, and says which files it does not use', { timeout: 120_000 }, async () => {
    const own = await photos({ bee: 40, wasp: 12, newt: 3 });
    await writeHeader(torchvision('mobilenet-v2'), join(own.folder, 'mobile.safetensors'));
    await writeHeader(torchvision('resnet18'), join(own.folder, 'resnet.safetensors'));
    await writeFile(join(own.app, 'broken.pth'), 'x');
    const { code, stdout, stderr } = await tailmix(own.app, 'init', '../photos', '--yes');
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('network: mobilenet-v2, from the weights in ../mobile.safetensors\n');
    expect(stdout).toContain('image size: 128 x 128 pixels\n');
    expect(stderr.replaceAll(own.folder, '…').split('Next')[0]).toMatchInlineSnapshot(`
      "not used: broken.pth: expected a file of weights (safetensors, or what torch.save writes of a state_dict); it begins with the bytes 78.
      not used: …/resnet.safetensors; --weights takes it
      "
    `);
    const text = await readFile(join(own.app, 'tailmix.config.yaml'), 'utf8');
    expect(text.slice(text.indexOf('model:'))).toMatchInlineSnapshot(`
      "model:
        name: mobilenet-v2 # the network of these weights: docs/which.md
        weights: ../mobile.safetensors
      train:
        epochs: 20
        batchSize: 16
        optimizer:
          name: adamw
          learningRate: 0.001 # of the classifier, which is new
          weightDecay: 0.05
          groups: [{ match: backbone, learningRate: 0.0001 }] # of all other weights
          noDecay: [norm, bias]
      plugins:
        - { use: lr-schedule, schedule: cosine, warmup: 0.05 }
        # The remedy for the long tail: ratio 28, and few epochs from published weights: the loss corrects for the class counts (docs/which.md).
        - use: balanced-softmax
        # No early stopping: it needs at least 100 validation images to judge by; there are about 9.
      "
    `);
    const plan = await tailmix(own.app, 'plan', '--json');
    expect(plan.code, plan.stderr).toBe(0);
  });

  it('--weights names the file, and is refused where it has no network that is known', {
    timeout: 120_000,
  }, async () => {
    const own = await photos({ bee: 8, wasp: 7 });
    await writeHeader(timmViT(), join(own.app, 'vit.safetensors'));
    await writeFile(join(own.app, 'other.pth'), 'x');
    const refused = await tailmix(own.app, 'init', '../photos', '--yes', '--weights', 'other.pth');
    expect(refused).toMatchObject({ code: 2, stdout: expect.not.stringContaining('wrote') });
    expect(refused.stderr).toMatchInlineSnapshot(`
      "init: --weights other.pth: expected published weights of a network that tailmix has. other.pth: expected a file of weights (safetensors, or what torch.save writes of a state_dict); it begins with the bytes 78.
      "
    `);
    const made = await tailmix(own.app, 'init', '../photos', '--json', '--weights', 'vit.safetensors');
    expect(JSON.parse(made.stdout)).toMatchObject({
      model: 'vit-tiny-16',
      weights: './vit.safetensors',
      imageSize: 224,
    });
    const text = await readFile(join(own.app, 'tailmix.config.yaml'), 'utf8');
    expect(text).toContain('  freeze: [backbone] # only a classifier is trained\n  head: cosine\n  scale: 25\n');
    expect(text).toContain('  - use: class-mean-head');
    const plan = await tailmix(own.app, 'plan');
    expect(plan.code, plan.stderr).toBe(0);
  });
});
