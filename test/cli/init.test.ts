import { readdirSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, it, vi } from 'vitest';
import { init } from '../../src/cli/init/index.ts';
import { recipeFor, remedyFor } from '../../src/cli/init/recipe.ts';
import { writePicture } from '../support/image-tree.ts';
import { photos } from '../support/photos-folder.ts';
import { tailmix } from './run.ts';

const filesOf = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

describe('init FOLDER', () => {
  it('prints one JSON document with --json, and asks nothing', async () => {
    const own = await photos({ bee: 40, wasp: 12, newt: 3 });
    const { code, stdout, stderr } = await tailmix(own.app, 'init', '../photos', '--json');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({
      config: join(own.app, 'tailmix.config.yaml'),
      files: [join(own.app, 'tailmix.config.yaml')],
      classes: ['bee', 'newt', 'wasp'],
      imageSize: 64,
      model: 'resnet32',
      remedy: { plugins: ['balanced-softmax', 'mixup'] },
      split: { validation: 0.15, test: 0.15 },
    });
    expect(document.counts).toHaveLength(3);
    const made = await tailmix(own.app, 'init', 'my-run', '--json');
    expect(JSON.parse(made.stdout)).toEqual({
      config: join(own.app, 'my-run/tailmix.config.yaml'),
      files: [join(own.app, 'my-run/tailmix.config.yaml'), join(own.app, 'my-run/feature-norm.ts')],
    });
  });

  it('writes a config that fits the images, into the current folder alone', { timeout: 180_000 }, async () => {
    const own = await photos({ bee: 40, 'dög (brown)': 12, 'x: y': 3 });
    const before = filesOf(own.photos);
    const { code, stdout, stderr } = await tailmix(own.app, 'init', '../photos', '--yes', '--group', '(\\d+)\\.jpg');
    expect(code, stderr).toBe(0);
    expect(stderr).toMatchInlineSnapshot(`
      "Next: npx tailmix data info tailmix.config.yaml  # shows duplicates and unreadable files
            npx tailmix plan                           # shows what would run
            npx tailmix train                          # trains it
      "
    `);
    expect(stdout).toMatchInlineSnapshot(`
      "../photos: 3 classes
      to train on: bee 28, dög (brown) 8, x: y 1
      left out: 1 hidden or system file (._*, Thumbs.db, …)
      about 37 images to train on, 9 for validation (16.4%), 9 for test (16.4%), by content; exact when the images are read
      2 classes have fewer than 10 images to train on: add photos, merge or leave out
      image size: 64 x 64 pixels
      long tail: ratio 28, and the smallest class has 1 image: the loss corrects for the class counts, and mixing keeps the network from learning the few by heart
      wrote tailmix.config.yaml
      "
    `);
    const text = await readFile(join(own.app, 'tailmix.config.yaml'), 'utf8');
    expect(text.replace(/(\$schema=).*/, '$1…')).toMatchInlineSnapshot(`
      "# yaml-language-server: $schema=…
      # 3 classes with about 28 to 1 images to train on. Every option: docs/config.md
      name: photos
      data:
        name: image-folder
        root: ../photos
        imageSize: 64 # pixels; a larger one shows more detail and takes longer: twice the side, four times the time
        packSize: 72 # images are scaled to this; training cuts random parts out of it, evaluation the centre
        split: { validation: 0.15, test: 0.15, group: (\\d+)\\.jpg } # of every class, decided by the content of each image: docs/data.md
        onCorrupt: skip # files that cannot be read are left out and counted; tailmix data info lists them
        augment:
          - { name: random-resized-crop, scale: [0.4, 1] }
          - { name: flip } # take it out if left and right matter, as in text
          - { name: color-jitter, brightness: 0.2, contrast: 0.2, saturation: 0.2 }
      model:
        name: resnet32 # starts from nothing; small-cnn is quicker, resnet18-cifar larger: docs/models.md
      train:
        epochs: 100
        batchSize: 16
        optimizer: { name: adamw, learningRate: 0.001, weightDecay: 0.05 }
      plugins:
        - { use: lr-schedule, schedule: cosine, warmup: 0.05 }
        # The remedy for the long tail: ratio 28, and the smallest class has 1 image: the loss corrects for the class counts, and mixing keeps the network from learning the few by heart (docs/which.md).
        - use: balanced-softmax
        - { use: mixup, alpha: 0.2 }
        # No early stopping: it needs at least 100 validation images to judge by; there are about 9.
      "
    `);
    expect(filesOf(own.photos)).toEqual(before);
    const plan = await tailmix(own.app, 'plan');
    expect(plan.code, plan.stderr).toBe(0);
    expect(plan.stdout).toContain('balanced-softmax(0)');
    expect(plan.stdout).not.toContain('warning');
    const again = await tailmix(own.app, 'init', '../photos', '--yes');
    expect(again).toMatchObject({
      code: 2,
      stderr: 'init: expected to make tailmix.config.yaml, which exists already. Choose another folder.\n',
    });
  });

  it('asks, and takes what is proposed for an empty answer', async () => {
    const own = await photos({ a: 5, b: 5 });
    const answers = ['big', '96', '(', 'session_(.)'];
    const home = process.cwd();
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    process.chdir(own.app);
    try {
      expect(await init('../photos', {}, async () => answers.shift()!)).toBe(0);
    } finally {
      process.chdir(home);
      write.mockRestore();
    }
    const text = await readFile(join(own.app, 'tailmix.config.yaml'), 'utf8');
    expect(text).toContain('imageSize: 96 ');
    expect(text).toContain('group: session_(.) }');
    expect(answers).toEqual([]);
  });

  it('refuses a folder without images, images of one class, and to write among them', async () => {
    const own = await photos({ a: 5 });
    await mkdir(join(own.folder, 'empty'));
    const none = await tailmix(own.app, 'init', '../empty', '--yes');
    const one = await tailmix(own.app, 'init', '../photos', '--yes');
    expect(
      [none, one].map(({ code, stderr }) => ({ code, stderr: stderr.replaceAll(own.folder, '…') })),
    ).toMatchInlineSnapshot(`
      [
        {
          "code": 2,
          "stderr": "init: expected a folder of images (a folder per class, also in train/, val/ and test/, or a .csv, .tsv or .jsonl file that lists them), or a new name; got ../empty, which holds neither.
        tailmix init ../photos   writes a config for the images of that folder into the current one
        tailmix init my-run      makes a project to start from in a new folder
      ",
        },
        {
          "code": 2,
          "stderr": "init: expected a folder of images (a folder per class, also in train/, val/ and test/, or a .csv, .tsv or .jsonl file that lists them), or a new name; got ../photos, which holds images of one class.
        tailmix init ../photos   writes a config for the images of that folder into the current one
        tailmix init my-run      makes a project to start from in a new folder
      ",
        },
      ]
    `);
    await writePicture(join(own.photos, 'b/0.jpg'), 99, 70, 90);
    for (const [at, ...args] of [['photos/a', '..'], ['photos'], ['photos', '.']]) {
      const { code, stderr } = await tailmix(join(own.folder, at!), 'init', ...args);
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: `init: expected to write into a folder outside of the images; the current folder is ${args[0] ?? '.'}, or in it. Make a folder elsewhere, and there run: tailmix init PATH-OF-THE-IMAGES\n`,
      });
    }
  });
});

describe('the recipe', () => {
  it.each([
    [[50, 40, 30], []],
    [[300, 100, 100], ['balanced-softmax']],
    [[300, 20], ['balanced-softmax']],
    [
      [300, 19],
      ['balanced-softmax', 'mixup'],
    ],
    [[2, 1], []],
    [
      [3, 1],
      ['balanced-softmax', 'mixup'],
    ],
  ])('remedy of %o images', (counts, plugins) => {
    expect(remedyFor(counts).plugins).toEqual(plugins);
  });

  it('early stopping where validation can judge; no image is enlarged', () => {
    const photos = { counts: [500, 100], validation: 100, side: 224 };
    expect(recipeFor(photos)).toMatchObject({ imageSize: 64, epochs: 100, batchSize: 32, patience: 25 });
    expect(recipeFor({ ...photos, validation: 99, side: 32 })).toMatchObject({ imageSize: 32, patience: null });
  });

  it('a pretrained network: larger images, fewer epochs, no mixing', () => {
    const photos = { counts: [500, 10], validation: 100, side: 640, pretrained: 'resnet18' };
    const remedy = { plugins: ['balanced-softmax'] };
    expect(recipeFor(photos)).toMatchObject({ model: 'resnet18', imageSize: 224, epochs: 20, batchSize: 32, remedy });
    expect(recipeFor({ ...photos, side: 32 }).imageSize).toBe(128);
    expect(recipeFor({ ...photos, side: 32, pretrained: 'vit-base-16' }).imageSize).toBe(224);
  });
});
