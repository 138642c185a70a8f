import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaults, registry } from '../../plugins/index.ts';
import { loadConfig } from '../../src/config/load.ts';
import { trainerOptions } from '../../src/config/trainer-options.ts';
import { planRun } from '../../src/train/plan-run.ts';
import { sizeOf } from '../../src/util/shape.ts';

const { models } = JSON.parse(readFileSync('test/models/published/vit-names.json', 'utf8')) as {
  models: { from: string; blocks: number; arrays: Record<string, number[]> }[];
};

/** A file with timm's names and shapes of a network in full size; its numbers are zeros that take no room on the disk. */
async function standIn(folder: string, from: string): Promise<string> {
  const { blocks, arrays } = models.find((one) => one.from === `timm ${from}`)!;
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const [name, shape] of Object.entries(arrays)) {
    for (let i = 0; i < (name.startsWith('blocks.0.') ? blocks : 1); i++) {
      const begin = end;
      end += 2 * sizeOf(shape);
      header[name.replace('blocks.0.', `blocks.${i}.`)] = { dtype: 'F16', shape, data_offsets: [begin, end] };
    }
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const path = join(folder, `${from}.safetensors`);
  const file = await open(path, 'w');
  await file.write(Buffer.concat([length, text]));
  await file.truncate(length.length + text.length + end);
  await file.close();
  return path;
}

async function photos(folder: string): Promise<string> {
  for (const split of ['train', 'test']) {
    for (const [i, name] of ['crow', 'magpie'].entries()) {
      await mkdir(join(folder, split, name), { recursive: true });
      const create = { width: 60, height: 40, channels: 3 as const, background: { r: 90 * i, g: 10, b: 200 } };
      await sharp({ create })
        .png()
        .toFile(join(folder, split, name, '0.png'));
    }
  }
  return folder;
}

const methods = {
  'linear-probe': { line: /^frozen {18}backbone/m, epochs: 10, rate: 0.01, augment: /scale 0.08 to 1.*, flip/ },
  full: { line: /^steps {19}10 epochs × \d+ steps of 128$/m, epochs: 10, rate: 0.01, augment: /flip/ },
  lift: { line: /^trained {17}\d+ of \d+ parameters; the rest/m, epochs: 10, rate: 0.01, augment: /flip/ },
  'lift-plus': {
    line: /^trained {17}\d+ of \d+ parameters; the rest/m,
    epochs: 5,
    rate: 0.02,
    augment: /^random-resized-crop \(scale 0.08 to 1, ratio 1 to 1, growth convex, interpolation bicubic\)$/,
  },
};
const networks = { base: 'vit_base_patch16_224', tiny: 'vit_tiny_patch16_224' };
const sets = { 'cifar100-exp-100': 'cifar100', inat2018: 'inat2018', folder: 'image-folder' };

let files: Record<string, string>;
let root: string;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailmix-lift-'));
  root = await photos(join(folder, 'photos'));
  files = { base: await standIn(folder, networks.base), tiny: await standIn(folder, networks.tiny) };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(Object.entries(methods))('lift/%s', (method, { line, epochs, rate, augment }) => {
  it.each(Object.keys(sets).flatMap((set) => Object.keys(networks).map((network) => [set, network] as const)))(
    'plans on %s with ViT-%s/16',
    async (set, network) => {
      const paths = [`configs/methods/lift/${method}.yaml`, `configs/data/${set}-vit-${network}-16.yaml`];
      const config = await loadConfig(paths, {
        registry,
        defaults,
        set: [`data.root=${set === 'folder' ? root : 'no-data'}`, `model.weights=${files[network]}`],
      });
      const { plan, composition, info } = await planRun(trainerOptions(config));
      expect(plan).toMatch(line);
      expect(composition.warnings).toEqual([]);
      const sized = set === 'inat2018' ? '' : '; but by the config: packSize';
      expect(plan).toContain(
        `preprocessing           by the table of docs/models.md, since no config.json of timm is next to the weights${sized}\n`,
      );
      expect(composition.plugins.map(({ definition }) => definition.name)).toContain('class-mean-head');
      expect(info).toMatchObject({ dataset: sets[set as keyof typeof sets], epochs, batchSize: 128 });
      expect(info.imageShape).toEqual([224, 224, 3]);
      expect(config.options.train.optimizer.learningRate).toBe(rate);
      expect(config.options.model).toMatchObject({ head: 'cosine', scale: 25 });
      expect(/^augment +(.*)$/m.exec(plan)![1]).toMatch(augment);
    },
  );
});
