import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, test, vi } from 'vitest';
import { parse } from 'yaml';
import { candidatesFor } from '../../src/cli/compare/candidates.ts';
import { methodConfigs } from '../../src/cli/compare/configs.ts';
import { context } from '../../src/cli/context.ts';
import { loadConfig } from '../../src/config/load.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

// Four short processes, each of which may wait for a build of changed sources.
vi.setConfig({ testTimeout: 300_000 });

const config = `name: my digits
data: { name: digits, ratio: 400, split: { validation: 0.15 }, workers: 0 }
model: { name: mlp, width: 8 }
train: { epochs: 1, step: eager }
plugins:
  - { use: lr-schedule, warmup: 0, milestones: [0.5] }
  - use: balanced-softmax
  - { use: mixup, alpha: 0.4 }
`;

async function folderWith(text: string): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'tailmix.config.yaml'), text);
  return folder;
}

it.each(['sweep.yaml', 'methods/erm.yaml'])('writes over no file that it did not make: %s', async (name) => {
  const folder = await folderWith(config);
  const file = join(folder, 'mine', name);
  await mkdir(join(folder, 'mine/methods'), { recursive: true });
  await writeFile(file, 'name: mine\n');
  const { code, stderr } = await tailmix(folder, 'compare', '--out', 'mine');
  expect([code, stderr.split('\n').at(-2)]).toEqual([
    2,
    `mine/${name}: expected no file, or one that tailmix compare or probe has made; this is another. Choose another folder with --out, as compare does not write over it.`,
  ]);
  expect(await readFile(file, 'utf8')).toBe('name: mine\n');
  expect(await readdir(join(folder, 'mine'), { recursive: true })).not.toContain('methods/balanced-softmax.yaml');
});

it('trains ERM and three remedies, says which to use, and trains nothing twice', async () => {
  const folder = await folderWith(config);
  const first = await tailmix(folder, 'compare', '--quiet');
  expect(first.code, first.stderr).toBe(0);
  expect(first.stdout).toMatch(
    /^Balanced accuracy in percent.*\n\nmethod +validation +test +time +images\/s\n[─ ]+\n(.+ +\d+\.\d +\d+\.\d +[\d.]+ s +\d+\n){4}\nUse (ERM|Balanced softmax|Balanced softmax, Mixup|Remix-DRW): /,
  );
  expect(first.stdout).toMatch(
    /Config: runs\/compare-my-digits\/methods\/[\w-]+\.yaml {3}its run: runs\/compare-my-digits\/[\w-]+-seed0-\w{8}\n/,
  );
  const page = await readFile(join(folder, 'runs/compare-my-digits/report/compare-my-digits.html'), 'utf8');
  expect(page).toContain('Which should I use');
  const chosen = /^Use (.*): /m.exec(first.stdout)![1]!;
  expect(page).toContain(`<p>Use ${chosen}: `);

  const again = await tailmix(folder, 'compare', '--json');
  expect(again.stderr.match(/was finished before/g)).toHaveLength(4);
  const { choice, methods } = JSON.parse(again.stdout);
  expect(choice).toMatchObject({ chosen, against: 'ERM' });
  expect(methods.map(({ method }: { method: string }) => method)).toEqual([
    'ERM',
    'Balanced softmax, Mixup',
    'Balanced softmax',
    'Remix-DRW',
  ]);
  const [best, ...others] = choice.methods;
  expect(best.method).toBe(chosen);
  for (const { validation } of others) expect(validation.mean).toBeLessThanOrEqual(best.validation.mean);

  // A run of plain training that cannot be written: no other method takes its place.
  const out = join(folder, 'runs/compare-my-digits');
  const erm = (await readdir(out)).find((name) => /^erm-seed0-\w{8}$/.test(name))!;
  await rm(join(out, erm), { recursive: true });
  await symlink(erm, join(out, erm));
  const without = await tailmix(folder, 'compare', '--quiet');
  expect(without.code).toBe(1);
  expect(without.stdout.replace(/Report: .*/, 'Report: …')).toBe(
    `No method is chosen: that takes plain training (ERM), and every run of each method.
missing  erm seed 0: its log is runs/compare-my-digits/${erm}.log
Run the same command again to train what is missing.
Report: …
`,
  );
  const document = JSON.parse(await readFile(join(out, 'report/report.json'), 'utf8'));
  expect(document).not.toHaveProperty('choice');
});

test('is refused without images to choose by, and for a config of phases', async () => {
  const without = await folderWith(config.replace(', split: { validation: 0.15 }', ''));
  expect(await tailmix(without, 'compare', 'tailmix.config.yaml')).toMatchInlineSnapshot(`
    {
      "code": 2,
      "stderr": "tailmix.config.yaml: expected validation images, by which the method is chosen; there are none. Choosing on the test set would be optimistic.
      Hold some of the training images out: data.split: { validation: 0.15 } in the config, or --set data.split.validation=0.15.
    ",
      "stdout": "",
    }
  `);
  expect(existsSync(join(without, 'runs'))).toBe(false);
  const phases = await folderWith(`${config}phases: [{ epochs: 1 }, { epochs: 1 }]\n`);
  expect((await tailmix(phases, 'compare')).stderr).toMatchInlineSnapshot(`
    "compare: expected a config of one phase, whose remedy it can replace; this one has \`phases\`. Compare such configs with a sweep (docs/config.md).
    "
  `);
});

test.each([
  { counts: [100, 60, 34], methods: ['ERM', 'Mixup', 'Label smoothing', 'Balanced softmax'] },
  { counts: [60, 20], methods: ['ERM', 'Balanced softmax', 'DRW', 'Remix-DRW'] },
  { counts: [600, 19], methods: ['ERM', 'Balanced softmax, Mixup', 'Balanced softmax', 'Remix-DRW'] },
])('the remedies for class counts of $counts', ({ counts, methods }) => {
  expect(candidatesFor(counts).map(({ method }) => method)).toEqual(methods);
});

test('a config keeps all but its remedies, which are compared as they are where they are others', async () => {
  const folder = await folderWith(`name: own
data: { name: digits, root: ./here }
model: { name: small-cnn, head: cosine, width: 8 }
train: { epochs: 7 }
plugins:
  - { use: ema, enabled: false }
  - { use: lr-schedule, schedule: cosine }
  - { use: ldam, maxMargin: 0.4 }
  - { use: drw, deferUntil: 0.5 }
`);
  const loaded = await loadConfig(join(folder, 'tailmix.config.yaml'), context);
  const configs = methodConfigs(loaded, candidatesFor([60, 20]));
  const used = configs.map(({ file, config }) => {
    const { name, method, model, train, plugins } = parse(JSON.stringify(config));
    expect(name).toBe(file);
    const listed = plugins.map(({ use }: { use: string }) => use).filter((use: string) => !observers.includes(use));
    return [method, model.head, train.epochs, ...listed].join(' ');
  });
  expect(used).toEqual([
    'ERM linear 7 lr-schedule',
    'Balanced softmax linear 7 balanced-softmax lr-schedule',
    'DRW linear 7 drw lr-schedule',
    'Remix-DRW linear 7 mixup remix drw lr-schedule',
    'As configured cosine 7 lr-schedule ldam drw',
  ]);
});

const observers = ['progress', 'tracking', 'checkpoint', 'mlflow'];
