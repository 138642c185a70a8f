import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { allPaths, helpOf, optionsAt } from '../../src/config/option-tree.ts';
import type { Described } from '../../src/config/shape.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

describe('explain', () => {
  test('docs/errors.md is that of the sources: npm run fix', async () => {
    const { errorsPage } = (await import('../../docs/reference/errors.mjs' as string)) as { errorsPage(): string };
    expect(readFileSync('docs/errors.md', 'utf8')).toBe(errorsPage());
    // Codes are ours: those of the system only tell cases apart.
    const codes = [...errorsPage().matchAll(/^## (.+)$/gm)].map(([, code]) => code!);
    expect(codes).toEqual(expect.arrayContaining(['CONFIG_UNREADABLE', 'WEIGHTS_MISSING']));
    expect(codes.filter((code) => code in constants.errno)).toEqual([]);
  });

  test('a code in any case, all codes, and a code that there is not', async () => {
    const folder = await temporaryFolder();
    expect((await tailmix(folder, 'explain', 'run_missing')).stdout).toMatchInlineSnapshot(`
      "RUN_MISSING

      Exit code 2.

      - No run of that name or path.
        run "…": expected a run directory, or the name of a run in …; found neither. …
      - A folder that is empty but for a lock: a run that was killed before it wrote its config leaves one.
        …: expected a run, but there is none in it: none was started there, or it ended before it wrote its config. Start it with tailmix train CONFIG --out ….
      "
    `);
    const { stdout } = await tailmix(folder, 'explain');
    expect(stdout.split('\n').length).toBeGreaterThan(200);
    expect(Object.keys(JSON.parse((await tailmix(folder, 'explain', '--json')).stdout))).toEqual(
      stdout.trim().split('\n'),
    );
    const told = [];
    for (const wrong of ['OTHER_DATE', 'trian.epochs', 'kapa', 'learningRate', 'train.optimizer.beta3', 'xyzzy']) {
      const { code: exit, stderr } = await tailmix(folder, 'explain', wrong);
      expect(exit).toBe(2);
      told.push(stderr.replace(/^explain: .*? got | `tailmix explain` lists.*\n$/g, ''));
    }
    expect(told).toMatchInlineSnapshot(`
      [
        ""OTHER_DATE". Did you mean OTHER_DATA?",
        ""trian.epochs". Did you mean train.epochs?",
        ""kapa". Did you mean plugins.remix.kappa?",
        ""learningRate". Did you mean train.optimizer.learningRate, plugins.deep-smote.learningRate, plugins.meta-weight-net.learningRate?",
        ""train.optimizer.beta3". Did you mean train.optimizer.beta1?",
        ""xyzzy".",
      ]
    `);
  });

  test('an option: what it does, may be, and is without; one that differs by choice, once for each', async () => {
    const folder = await temporaryFolder();
    const explained = async (topic: string) =>
      (await tailmix(folder, 'explain', topic)).stdout.replace(/^(more +).*\/(.*\/)/m, '$1…/$2');
    expect(await explained('plugins.remix.kappa')).toMatchInlineSnapshot(`
      "plugins.remix.kappa

      Ratio of class counts from which the rarer class takes the whole label; \`.inf\` relabels nothing.
      type     a number above 1, or .inf
      default  3

      more     …/remix/README.md
      "
    `);
    expect(await explained('train.optimizer.learningRate')).toMatchInlineSnapshot(`
      "train.optimizer.learningRate

      sgd: Learning rate before any schedule.
      type     a number above 0
      default  0.1

      adamw: Learning rate before any schedule.
      type     a number above 0
      default  0.001

      more     …/docs/config.md
      "
    `);
    expect(await explained('data.split')).toMatchInlineSnapshot(`
      "data.split

      Parts of every class that are held out of the training images, before the profile is applied. The content of an image and subsetSeed decide where it goes.
      type     a map with validation, test, group

        validation  Fraction of the images for validation: what settings and epochs are chosen on.
        test        Fraction of the images for test, of a data set that has no test images of its own.
        group       Images that stay together: a regular expression on the path below \`root\`, whose first group (else the whole match) names them, or \`{ column }\` of a manifest. Images without a match stand alone.

      more     …/docs/data.md
      "
    `);
    expect(await explained('model')).toContain('type     a map whose name is one of resnet32,');
    expect(JSON.parse((await tailmix(folder, 'explain', 'train.step', '--json')).stdout)).toMatchInlineSnapshot(
      { more: expect.stringMatching(/docs.config.md$/) },
      `
      {
        "below": [],
        "more": StringMatching /docs\\.config\\.md\\$/,
        "options": [
          {
            "choice": null,
            "default": "auto",
            "description": "captured: one graph per signature; eager: op by op; auto: captured where it works.",
            "path": "train.step",
            "type": "one of auto, captured, eager",
          },
        ],
        "path": "train.step",
      }
    `,
    );
  });

  test('every option of the schema can be explained', async () => {
    const schema = JSON.parse(readFileSync('configs/schema.json', 'utf8')) as Described;
    const paths = allPaths(schema);
    expect(paths).toEqual(
      expect.arrayContaining([
        'train.optimizer.learningRate',
        'plugins.remix.kappa',
        'data.split.group',
        'plugins.checkpoint.best',
      ]),
    );
    for (const path of paths) {
      const help = helpOf(path, optionsAt(schema, path.split('.')));
      expect(help.length, path).toBeGreaterThan(0);
      for (const { type } of help) expect(type, path).not.toBe('another value');
    }
  });
});
