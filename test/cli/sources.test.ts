import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { expect, it, onTestFinished, vi } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { tailmix } from './run.ts';

// Several runs in a row.
vi.setConfig({ testTimeout: 300_000 });

/** A plugin that predicts what the network says, or, by another factor, the contrary. */
const plugin = (factor: number) => `import { definePlugin, z } from 'tailmix';
export default definePlugin({
  name: 'own',
  options: z.strictObject({}),
  apply: ({ hooks }) =>
    void hooks.buildPrediction.tap('own', (predict) => (...given) => predict(...given).mul(${factor})),
});
`;

const run = `name: own
data: { name: blobs, ratio: 10, workers: 0 }
model: { name: mlp, width: 8 }
train: { epochs: 10, step: eager }
plugins: [{ use: ./own.ts }]
`;

/** A folder with the project, whose plugin has a factor. */
async function project(factor: number): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'own.ts'), plugin(factor));
  await writeFile(join(folder, 'run.yaml'), run);
  await writeFile(join(folder, 'sweep.yaml'), 'configs: [run.yaml]\nseeds: [0]\n');
  return folder;
}

/** Signs what is kept as somebody; another home is another user. */
function asUser(home: string): void {
  const before = process.env.XDG_CONFIG_HOME;
  process.env.XDG_CONFIG_HOME = home;
  onTestFinished(() => {
    if (before === undefined) delete process.env.XDG_CONFIG_HOME;
    else process.env.XDG_CONFIG_HOME = before;
  });
}

it('a changed plugin is used where that is asked for, and said; the kept one otherwise', async () => {
  asUser(await temporaryFolder());
  const [first, changed] = [await project(1), await project(-1)];
  const trained = await tailmix(first, 'train', 'run.yaml', '--out', 'runs/one');
  expect(trained.code, trained.stderr).toBe(0);
  const told: string[] = [];
  const emit = vi.spyOn(process, 'emitWarning').mockImplementation((text) => void told.push(String(text)));
  onTestFinished(() => emit.mockRestore());
  const runs = join(first, 'runs/one');
  const accuracyOf = async (...flags: string[]): Promise<number> => {
    const { code, stdout, stderr } = await tailmix(changed, 'evaluate', runs, '--json', ...flags);
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout).accuracy;
  };
  const kept = await accuracyOf();
  expect(kept).toBeGreaterThan(0.5);
  expect(await accuracyOf('--sources', 'kept')).toBe(kept);
  // Two classes: the contrary is right where the network is wrong.
  expect(await accuracyOf('--sources', 'current')).toBeCloseTo(1 - kept, 10);
  expect(told).toEqual([
    './own.ts was changed since the run: the one that was kept with it is used.',
    './own.ts was changed since the run: it is used as it is now, not as it was kept.',
  ]);
  const resumed = await tailmix(changed, 'train', '--resume', runs, '--sources', 'current');
  expect(resumed.stderr).toContain("unknown option '--sources'");
  const drawn = await tailmix(changed, 'figure', 'boundaries', runs, '--sources', 'current', '--out', 'now.svg');
  expect(drawn.code, drawn.stderr).toBe(0);
  await tailmix(changed, 'figure', 'boundaries', runs, '--out', 'kept.svg');
  expect(await readFile(join(changed, 'now.svg'), 'utf8')).not.toBe(await readFile(join(changed, 'kept.svg'), 'utf8'));
});

it('a sweep and a figure run the code of someone else with --trust alone, and lose nothing without it', async () => {
  asUser(await temporaryFolder());
  const folder = await project(1);
  const sweep = (...flags: string[]) => tailmix(folder, 'sweep', 'sweep.yaml', '--out', 'runs', '--json', ...flags);
  const first = await sweep();
  expect(first.code, first.stderr).toBe(0);
  const [{ directory }] = JSON.parse(first.stdout) as [{ directory: string }];
  const place = join(folder, directory);
  // As a run that was killed.
  await rm(join(place, 'summary.json'));
  await mkdir(join(folder, 'other'));
  await cp(place, join(folder, 'other/one'), { recursive: true });
  process.env.XDG_CONFIG_HOME = await temporaryFolder();
  const refused = await sweep();
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('Read it, then give --trust.');
  expect(existsSync(`${place}.aside-1`)).toBe(false);
  const trusted = await sweep('--trust');
  expect(trusted.code, trusted.stderr).toBe(0);
  expect(JSON.parse(trusted.stdout)).toMatchObject([{ status: 'finished', setAside: null }]);
  expect(trusted.stderr).toContain('resumes');
  const figure = (...flags: string[]) => tailmix(folder, 'figure', 'boundaries', directory, ...flags);
  expect((await figure()).stderr).toContain('Read it, then give --trust.');
  expect((await figure('--trust')).code).toBe(0);
});
