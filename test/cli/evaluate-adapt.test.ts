import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { inTemporaryFolder } from '../support/temporary.ts';
import { quickRun, tailmix } from './run.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const folder = inTemporaryFolder();
const config = `name: sade
data: { name: digits, workers: 0, profile: exp, ratio: 100, augment: [{ name: pad-crop, padding: 2 }] }
model: { name: mlp, width: 16 }
train: { epochs: 3, step: eager }
plugins: [{ use: experts, method: sade, shared: stage1 }]
`;

/** A plugin of one's own that adapts, and does as its option says. */
const own = `import { definePlugin, z } from 'tailmix';
export default definePlugin({
  name: 'own',
  options: z.strictObject({ does: z.string().default('right').describe('What.') }),
  extendModel: (model) => ({
    ...model,
    forward(weights, images, pass) {
      const outputs = model.forward(weights, images, pass);
      return { ...outputs, extras: { ...outputs.extras, 'own/double': outputs.logits.mul(2), 'own/one': outputs.logits.mean() } };
    },
  }),
  adapt: ({ does }) => ({
    extras: does === 'name' ? 'own/double' : [does === 'rows' ? 'own/one' : 'own/double'],
    async fit(views, count) {
      if (does === 'throw') throw new Error('boom');
      const [[one], [other], [again]] = [Object.values((await views(1))[0]), Object.values((await views(1))[1]), Object.values((await views(2))[0])];
      return {
        figures: { count, rows: does === 'nan' ? NaN : one.length / 10, same: Number(one.every((value, i) => value === other[i] || value === again[i])) },
        logits: ({ 'own/double': double }) => does === 'short' ? double.slice(1) : does === 'infinite' ? double.fill(1 / 0) : double,
      };
    },
  }),
  apply() {},
});
`;

beforeAll(async () => {
  await writeFile(join(folder(), 'run.yaml'), config);
  await writeFile(join(folder(), 'own.ts'), own);
  await writeFile(join(folder(), 'own.yaml'), config.replace(/plugins:.*/, 'plugins: [{ use: ./own.ts }]'));
  await writeFile(join(folder(), 'plain.yaml'), quickRun);
  for (const [file, name] of [
    ['run.yaml', 'a'],
    ['plain.yaml', 'plain'],
    ['own.yaml', 'own'],
  ] as const) {
    const { code, stderr } = await tailmix(folder(), 'train', file, '--out', name);
    expect(code, stderr).toBe(0);
  }
});

const evaluated = async (...args: string[]) => {
  const { code, stdout, stderr } = await tailmix(folder(), 'evaluate', 'a', '--json', ...args);
  expect(code, stderr).toBe(0);
  return { ...JSON.parse(stdout), stderr };
};

describe('evaluate --adapt', () => {
  it('leaves the figures of the run as they are, and adds those of the adapted prediction', async () => {
    const { stderr: _, ...plain } = await evaluated();
    const { adapted, stderr, ...beside } = await evaluated('--adapt');
    expect(beside).toEqual(plain);
    expect(adapted).toMatchObject({ plugin: 'experts', count: 1996 });
    const { fitted } = adapted;
    const shares = [1, 2, 3].map((k) => fitted[`share-${k}`]);
    expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
    expect(Math.max(...shares)).toBeGreaterThan(0.34);
    expect(adapted.loss).not.toBe(plain.loss);
    expect(stderr).not.toContain('[experts]');
  });

  it('is the same each time, whatever loads the images', async () => {
    const [once, again] = [await evaluated('--adapt'), await evaluated('--adapt', '--set', 'data.workers=2')];
    expect(again.adapted).toEqual(once.adapted);
    const { adapted } = await evaluated('--adapt', '--set', 'data.augment=[{name: pad-crop, padding: 1}]');
    expect(adapted.fitted).not.toEqual(once.adapted.fitted);
  });

  it('fits what is evaluated: another mix of classes has other shares, its images are counted', async () => {
    const [forward, backward] = [
      await evaluated('--adapt', '--shift', 'forward50'),
      await evaluated('--adapt', '--shift', 'backward50'),
    ];
    expect(forward).toMatchObject({ shift: 'forward50', adapted: { count: forward.count } });
    expect(forward.confusion[0].reduce((a: number, b: number) => a + b)).toBeGreaterThan(150);
    expect(backward.confusion[0].reduce((a: number, b: number) => a + b)).toBe(3);
    // The third expert is that of rare classes.
    const third = ({ adapted }: typeof forward): number => adapted.fitted['share-3'];
    expect(third(backward)).toBeGreaterThan(third(forward));
    expect(forward.stderr).toContain(`[experts] --adapt: of ${forward.count} images`);
  });

  it('takes a plugin of one’s own, of whose views each is another', async () => {
    const { code, stdout, stderr } = await tailmix(folder(), 'evaluate', 'own', '--adapt', '--json');
    expect(code, stderr).toBe(0);
    const { adapted, perClass, loss } = JSON.parse(stdout);
    expect(adapted).toMatchObject({ plugin: 'own', fitted: { count: 1996, rows: 1996, same: 0 }, perClass });
    expect(adapted.loss).not.toBeCloseTo(loss, 3);
  });

  it.each([
    ['throw', '[own] adapt: boom'],
    ['name', '[own] adapt: expected { extras: names, fit }; got an object with extras, fit.'],
    ['rows', 'adapt: expected outputs of the model with a row for each image; got "own/one"'],
    ['nan', '[own] adapt: figures["rows"]: expected a finite number; got NaN.'],
    ['short', '[own] adapt: logits: expected a Float32Array of 5000 finite numbers; got a Float32Array of 4999.'],
    ['infinite', '[own] adapt: logits: expected a Float32Array of 5000 finite numbers; got a Float32Array of 5000.'],
  ])('names a plugin that does not keep to it: %s', async (does, message) => {
    const { code, stderr } = await tailmix(folder(), 'evaluate', 'own', '--adapt', '--set', `plugins.own.does=${does}`);
    expect(stderr).toContain(message);
    expect(code).toBe(1);
  });

  it('says on the terminal what the figures are', async () => {
    const { stdout } = await tailmix(folder(), 'evaluate', 'a', '--adapt');
    const [own, adapted] = stdout.split('\n\n');
    expect(own).toMatch(/^run +a, epoch 3, test split, 1996 images\naccuracy/);
    expect(adapted).toMatch(
      /^Adapted to these 1996 images, without their labels \(--adapt\): not a figure of the run itself\nexperts +share-1 0\.\d+, .*\naccuracy/,
    );
    const shifted = await tailmix(folder(), 'evaluate', 'a', '--shift', 'uniform');
    expect(shifted.stdout).toMatch(/^run +a, epoch 3, test split, uniform, \d+ images\n/);
    expect(shifted.stdout).not.toContain('Adapted');
  });

  it('refuses a run that cannot, views that are alike, other predictions and few images', async () => {
    const refused = async (run: string, ...args: string[]) => {
      const { code, stderr } = await tailmix(folder(), 'evaluate', run, '--adapt', ...args);
      expect(code, stderr).toBe(2);
      return stderr;
    };
    expect(await refused('plain')).toContain('--adapt: expected a run with a plugin whose prediction can be fitted');
    expect(await refused('a', '--set', 'data.augment=[]')).toContain(
      '--adapt: expected transforms in data.augment, by which two views of an image differ',
    );
    expect(await refused('a', '--set', 'plugins+={use: tta}')).toContain(
      "[tta] buildPrediction: expected a prediction that is the model's logits",
    );
    expect(await refused('own', '--set', 'plugins+={use: experts, count: 2}')).toContain(
      '--adapt: expected one plugin whose prediction can be fitted; got 2: own, experts.',
    );
    expect(await refused('a', '--from-logits')).toContain("cannot be used with option '--adapt'");
    const other = await tailmix(folder(), 'evaluate', 'a', '--shift', 'sideways');
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('forward50') });
  });
});
