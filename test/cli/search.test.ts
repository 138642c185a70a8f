import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

const run = `name: quick
method: Remix
data: { name: digits, ratio: 100, workers: 0, split: { validation: 0.2 } }
model: { name: mlp, width: 16 }
train: { epochs: 3, step: eager, batchSize: 128 }
evaluate: { every: 3 }
plugins: [{ use: mixup }, { use: remix }]
`;

const search = `configs: [run.yaml]
search:
  trials: 3
  space:
    train.optimizer.learningRate: { min: 0.01, max: 0.3, scale: log }
    plugins.remix.kappa: [2, 3]
  halving: { from: 1, factor: 3 }
`;

/** A folder with a run and a search over it. */
async function searchFolder(changes: Record<string, string> = {}): Promise<string> {
  const folder = await temporaryFolder();
  for (const [file, text] of Object.entries({ 'run.yaml': run, 'tune.yaml': search, ...changes }))
    await writeFile(join(folder, file), text);
  return folder;
}

const epochsIn = async (directory: string) =>
  (await readFile(join(directory, 'metrics.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => {
      const { seconds, waitSeconds, imagesPerSecond, ...rest } = JSON.parse(line);
      return rest;
    });

test('trials that are behind on validation are pruned; the best goes on to the same end as a run of its own; called again, nothing is trained', async () => {
  const folder = await searchFolder();
  const first = await tailmix(folder, 'sweep', 'tune.yaml', '--json');
  expect(first.code, first.stderr).toBe(0);
  const outcomes = JSON.parse(first.stdout) as { label: string; status: string; directory: string; set: string[] }[];
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['finished', 'finished', 'pruned', 'pruned']);
  expect(outcomes.at(-1)).toMatchObject({ label: 'run without remix seed 0', status: 'finished' });
  expect(first.stderr).toMatch(/pruned after epoch 1: [\d.]+ % on validation, place 3 of 3/);
  expect(first.stderr).toMatch(/Best on validation: Remix \(.*on test at the same epochs/);

  const epochs = await Promise.all(outcomes.map(({ directory }) => epochsIn(join(folder, directory))));
  const best = outcomes.findIndex(({ status }) => status === 'finished');
  const reached = epochs.slice(0, 3).map((own) => own[0].validation.balancedAccuracy);
  expect(reached[best]).toBe(Math.max(...reached));
  expect(epochs.map((own) => own.length)).toEqual(outcomes.map(({ status }) => (status === 'pruned' ? 1 : 3)));

  const settings = outcomes[best]!.set.flatMap((setting) => ['--set', setting]);
  expect((await tailmix(folder, 'train', 'run.yaml', ...settings, '--out', 'alone')).code).toBe(0);
  // It was not evaluated where the search compared it.
  const alone = await epochsIn(join(folder, 'alone'));
  expect(epochs[best]!.map(({ test, validation, ...rest }) => rest)).toEqual(
    alone.map(({ test, validation, ...rest }) => rest),
  );
  expect(epochs[best]!.at(-1)).toEqual(alone.at(-1));

  const again = await tailmix(folder, 'sweep', 'tune.yaml', '--json');
  expect((JSON.parse(again.stdout) as { status: string }[]).map(({ status }) => status)).toEqual(
    outcomes.map(({ status }) => (status === 'finished' ? 'skipped' : status)),
  );
  expect(again.stderr).not.toMatch(/starts|resumes/);
}, 120_000);

test('a search without a validation split, and what has no effect in one, is refused', async () => {
  const blind = await searchFolder({ 'run.yaml': run.replace(', split: { validation: 0.2 }', '') });
  expect(await tailmix(blind, 'sweep', 'tune.yaml')).toMatchInlineSnapshot(`
    {
      "code": 2,
      "stderr": "search: expected runs with a validation split, by which it chooses (never by test); got none. Set data.split.validation, for example to 0.1.
    ",
      "stdout": "",
    }
  `);
  const folder = await searchFolder({
    'bad.yaml': `${search}set: { plugins.remix.kappa: 4 }\ngrid: { train.optimizer.learningRate: [0.1] }\n`.replace(
      'max: 0.3',
      'max: 0.001',
    ),
  });
  expect((await tailmix(folder, 'sweep', 'bad.yaml')).stderr).toMatchInlineSnapshot(`
    "bad.yaml:5  search.space.train.optimizer.learningRate
      expected \`min\` below \`max\`, got {"min":0.01,"max":0.001,"scale":"log"}.

    bad.yaml:8  set.plugins.remix.kappa
      has no effect, since \`search\` varies it. Leave it out.

    bad.yaml:9  grid.train.optimizer.learningRate
      has no effect, since \`search\` draws it. Leave it out.
    "
  `);
  expect((await tailmix(folder, 'sweep', 'tune.yaml', '--list')).stderr).toMatchInlineSnapshot(`
    "search.halving: expected runs in one process, which compares them on the way; jobs of a cluster run each by itself. Leave halving out there, or run the sweep in one process: --jobs N.
    "
  `);
});

test('a run that --until ended says how to go on', async () => {
  const folder = await searchFolder();
  const { stderr } = await tailmix(folder, 'train', 'run.yaml', '--out', 'parts', '--until', '1');
  expect(stderr).toMatch(/^Next: npx tailmix train --resume parts +# the epochs that are left$/m);
});

test('--until ends a run after an epoch; --resume goes on to the same end', async () => {
  const folder = await searchFolder();
  const { code, stdout } = await tailmix(folder, 'train', 'run.yaml', '--out', 'parts', '--until', '2', '--json');
  expect([code, JSON.parse(stdout)]).toMatchObject([
    0,
    { status: 'stopped', reason: 'trained until epoch 2, as asked', lastEpoch: 2 },
  ]);
  const resumed = await tailmix(folder, 'train', '--resume', 'parts', '--until', '3');
  expect(resumed).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('--until 3 has no effect: the run ends after epoch 3\n'),
  });
  expect((await tailmix(folder, 'train', 'run.yaml', '--out', 'whole')).code).toBe(0);
  const [parts, whole] = await Promise.all(['parts', 'whole'].map((name) => epochsIn(join(folder, name))));
  expect(parts!.at(-1)).toEqual(whole!.at(-1));
  expect(JSON.parse(await readFile(join(folder, 'parts/summary.json'), 'utf8')).status).toBe('finished');
}, 60_000);
