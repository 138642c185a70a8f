import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it, vi } from 'vitest';
import { figuresOf } from '../support/results-csv.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type Ended, ended, quickRun, start, tailmix } from './run.ts';

vi.setConfig({ testTimeout: 300_000 });

interface Listed {
  id: string;
  runs: { index: number; id: string; label: string; directory: string; state: string; epochs: number }[];
}

async function sweepFolder(files: Record<string, string> = {}): Promise<string> {
  const folder = await temporaryFolder();
  const all = {
    'remix.yaml': quickRun,
    'sweep.yaml': 'configs: [remix.yaml]\nseeds: [0, 1]\nset: { train.epochs: 1 }\n',
    ...files,
  };
  for (const [name, text] of Object.entries(all)) await writeFile(join(folder, name), text);
  return folder;
}

const list = async (folder: string, ...args: string[]): Promise<Listed> => {
  const { code, stdout, stderr } = await tailmix(folder, 'sweep', ...args, '--list', '--json');
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Listed;
};

const errorOf = ({ code, stderr }: Ended): [number | null, string] => [code, stderr];

// What a run is told in its environment is taken back after a test.
beforeEach(() => void vi.stubEnv('TAILMIX_SWEEP', '').stubEnv('TAILMIX_THREADS', '1'));

it('trains the runs of a frozen grid one by one, with the figures of a sweep in one process', async () => {
  const folder = await sweepFolder();
  const first = await list(folder, 'sweep.yaml');
  expect(first).toMatchObject({
    name: 'sweep',
    out: 'runs/sweep',
    backend: 'wasm',
    threads: 1,
    runs: [
      { index: 0, label: 'remix seed 0', state: 'new', epochs: 0 },
      { index: 1, label: 'remix seed 1', state: 'new', epochs: 0 },
    ],
  });
  expect(first.runs.map(({ id }) => id)).toEqual([
    expect.stringMatching(/^remix-seed0-\w{8}$/),
    expect.stringMatching(/^remix-seed1-\w{8}$/),
  ]);
  expect((await list(folder, 'sweep.yaml')).id).toBe(first.id);

  // What becomes of the files does not matter to the runs that are frozen.
  await writeFile(join(folder, 'remix.yaml'), quickRun.replace('width: 16', 'width: 8'));
  const byNumber = await tailmix(folder, 'sweep', 'sweep.yaml', '--run', '1');
  expect(byNumber.code, byNumber.stderr).toBe(0);
  const byId = await tailmix(folder, 'sweep', '--out', 'runs/sweep', '--run', first.runs[0]!.id, '--json');
  expect(byId.code, byId.stderr).toBe(0);
  expect(await list(folder, '--out', 'runs/sweep')).toMatchObject({
    runs: [
      { state: 'finished', epochs: 1 },
      { state: 'finished', epochs: 1 },
    ],
  });
  const again = await tailmix(folder, 'sweep', 'sweep.yaml', '--run', '1');
  expect([again.code, again.stdout]).toEqual([
    0,
    `remix seed 1: was finished before, in runs/sweep/${first.runs[1]!.id}\n`,
  ]);

  // Both are part of the one sweep, whose id was drawn once.
  const spoolOf = (path: string): Promise<string> =>
    readFile(join(folder, 'runs/sweep', path, 'mlflow/spool.jsonl'), 'utf8');
  for (const { id } of first.runs) expect(await spoolOf(id)).toContain(`"parent":{"uid":"${first.id}"`);
  expect(await spoolOf('.')).toContain(`"uid":"${first.id}"`);

  // Frozen anew, the grid is that of the files; a job that waits can still train a run of before.
  const second = await list(folder, 'sweep.yaml');
  expect(second.id).toBe(first.id);
  expect(second.runs.map(({ state }) => state)).toEqual(['new', 'new']);
  expect((await tailmix(folder, 'sweep', 'sweep.yaml', '--run', first.runs[0]!.id)).stdout).toContain(
    'finished before',
  );

  await writeFile(join(folder, 'remix.yaml'), quickRun);
  const local = await tailmix(folder, 'sweep', 'sweep.yaml', '--out', 'local', '--report');
  expect(local.code, local.stderr).toBe(0);
  const report = await tailmix(folder, 'report', ...first.runs.map(({ directory }) => directory), '--out', 'report');
  expect(report.code, report.stderr).toBe(0);
  const figures = async (place: string): Promise<string[][]> =>
    figuresOf(await readFile(join(folder, place, 'results.csv'), 'utf8'));
  const trained = await figures('report');
  expect(trained).toHaveLength(3);
  expect(trained).toEqual(await figures('local/report'));
});

it('freezes a grid once, and trains a run once, however many processes come', async () => {
  const folder = await sweepFolder();
  const both = await Promise.all(
    [0, 1].map(() => ended(start(folder, 'sweep', 'sweep.yaml', '--run', '0', '--backend', 'wasm'))),
  );
  for (const { code, stderr } of both) expect(code, stderr).toBe(0);
  expect(both.filter(({ stdout }) => stdout.includes('was finished before'))).toHaveLength(1);
  const { runs } = await list(folder, '--out', 'runs/sweep');
  expect(runs.map(({ state }) => state)).toEqual(['finished', 'new']);
  expect((await readdir(join(folder, 'runs/sweep'))).filter((name) => name.startsWith('remix'))).toEqual([runs[0]!.id]);
});

it('refuses what is no run of the frozen grid', async () => {
  const folder = await sweepFolder();
  expect(errorOf(await tailmix(folder, 'sweep', '--out', 'runs/sweep', '--run', '0'))).toMatchInlineSnapshot(`
    [
      2,
      "runs/sweep: expected the folder of a sweep whose grid is frozen; there is no sweep/sweep.json in it. Freeze it first: \`tailmix sweep FILE --list --out runs/sweep\`.
    ",
    ]
  `);
  await list(folder, 'sweep.yaml');
  const wrong = await tailmix(folder, 'sweep', 'sweep.yaml', '--run', '2');
  expect([wrong.code, wrong.stderr.replaceAll(/-\w{8}(?=[.,])/g, '-HASH')]).toMatchInlineSnapshot(`
    [
      2,
      "--run: expected the id of a run, or its number from 0 to 1, got "2".
      Ids: remix-seed0-HASH, remix-seed1-HASH. \`--list\` shows all of them, and freezes the grid as its files are now.
    ",
    ]
  `);
  expect(errorOf(await tailmix(folder, 'sweep', 'sweep.yaml', '--run', '0', '--set', 'seed=3'))).toMatchInlineSnapshot(`
    [
      2,
      "--run: expected to be given without --set. \`--run\` trains a run of the frozen grid; give to \`--list\`, which freezes it, what varies the grid.
    ",
    ]
  `);
  await writeFile(join(folder, 'runs/sweep/sweep/sweep.json'), '{}');
  expect(errorOf(await tailmix(folder, 'sweep', 'sweep.yaml', '--run', '0'))).toMatchInlineSnapshot(`
    [
      1,
      "runs/sweep/sweep/sweep.json: expected the frozen grid of a sweep; ✖ Invalid input: expected string, received undefined → at id ✖ Invalid input: expected string, received undefined → at name ✖ Invalid input: expected string, received undefined → at backend ✖ Invalid input: expected number, received undefined → at threads ✖ Invalid input: expected string, received undefined → at dataRoot ✖ Invalid input: expected array, received undefined → at runs ✖ Invalid input: expected array, received undefined → at former
      Remove the file, and freeze the grid again with \`tailmix sweep FILE --list\`.
    ",
    ]
  `);
});
