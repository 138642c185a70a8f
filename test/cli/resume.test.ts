import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { EpochMetrics } from '../../src/metrics/types.ts';
import { checkpointPath } from '../../src/tracking/checkpoint.ts';
import { readSpool } from '../../src/tracking/spool/read.ts';
import { ended, quickRun, signalAt, start, tailmix } from './run.ts';

// Several processes in a row, each of which may wait for a build of changed sources.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const epochs = ['--set', 'train.epochs=3'];

/** A finished run of three epochs that the tests copy, and what its files hold. */
let folder: string;
let metrics: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tailmix-test-'));
  await writeFile(join(folder, 'run.yaml'), quickRun);
  const { code, stderr } = await tailmix(folder, 'train', 'run.yaml', ...epochs, '--out', 'whole');
  expect(code, stderr).toBe(0);
  metrics = await readFile(join(folder, 'whole/metrics.jsonl'), 'utf8');
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const copyOf = async (name: string): Promise<string> => {
  const run = join(folder, name);
  await cp(join(folder, 'whole'), run, { recursive: true });
  return run;
};

/** Everything that must not depend on the clock. */
const timeless = (lines: string): Partial<EpochMetrics>[] =>
  lines
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { seconds, waitSeconds, imagesPerSecond, ...rest } = JSON.parse(line) as EpochMetrics;
      return rest;
    });

const metricsOf = (run: string): Promise<string> => readFile(join(run, 'metrics.jsonl'), 'utf8');

describe('metrics.jsonl of a resumed run is that of its checkpoint', () => {
  it.each([
    ['cut', () => `${metrics.split('\n')[0]}\n`],
    ['emptied', () => ''],
    ['torn in the middle', () => metrics.replace('"epoch":2,', '"epoch":')],
    ['changed', () => metrics.replace(/"accuracy":[\d.]+/, '"accuracy":1')],
  ])('%s', async (what, damaged) => {
    const run = await copyOf(what);
    await writeFile(join(run, 'metrics.jsonl'), damaged());
    const { code, stderr } = await tailmix(folder, 'train', '--resume', what);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(`${what}/metrics.jsonl: was changed or cut; rebuilt from the checkpoint\n`);
    expect(await metricsOf(run)).toBe(metrics);
  });

  it('deleted, with an epoch left to train', async () => {
    const run = await copyOf('deleted');
    await rm(join(run, 'metrics.jsonl'));
    await rm(checkpointPath(run, 3));
    const { code, stderr } = await tailmix(folder, 'train', '--resume', 'deleted');
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('deleted/metrics.jsonl: was changed or cut; rebuilt from the checkpoint\n');
    expect(timeless(await metricsOf(run))).toEqual(timeless(metrics));
    const lines = (text: string): string[] => text.split('\n').slice(0, 2);
    expect(lines(await metricsOf(run))).toEqual(lines(metrics));
  });

  it('whole, which is nothing to tell of', async () => {
    const run = await copyOf('untouched');
    await rm(checkpointPath(run, 3));
    const { stderr } = await tailmix(folder, 'train', '--resume', 'untouched');
    expect(stderr).not.toContain('rebuilt');
    expect(timeless(await metricsOf(run))).toEqual(timeless(metrics));
  });
});

/** Points of a spool by metric and step, without those of time. */
async function pointsOf(run: string): Promise<Record<string, unknown>> {
  const points: Record<string, unknown> = {};
  for await (const { record } of readSpool(run)) {
    if (record?.type !== 'metrics') continue;
    for (const [key, value] of Object.entries(record.values))
      if (!/speed\/|seconds|images_per_second/.test(key)) points[`${key} ${record.step}`] = value;
  }
  return points;
}

it('means over steps go on across a resume', async () => {
  const run = await copyOf('spool');
  await rm(checkpointPath(run, 3));
  const spool = join(run, 'mlflow/spool.jsonl');
  const lines = (await readFile(spool, 'utf8')).split('\n');
  const isLater = (line: string): boolean => {
    const { type, step, values } = JSON.parse(line);
    return type === 'metrics' && 'step/loss' in values && step > 32;
  };
  await writeFile(
    spool,
    `${lines
      .slice(
        0,
        lines.findIndex((line) => line !== '' && isLater(line)),
      )
      .join('\n')}\n`,
  );
  expect((await tailmix(folder, 'train', '--resume', 'spool')).code).toBe(0);
  const whole = await pointsOf(join(folder, 'whole'));
  expect(Object.keys(whole).filter((point) => point.startsWith('step/loss')).length).toBeGreaterThan(3);
  expect(await pointsOf(run)).toEqual(whole);
});

it('what a killed writer left unfinished is gone after a resume', async () => {
  const run = await copyOf('unfinished');
  await rm(checkpointPath(run, 3));
  const left = ['checkpoints/.epoch-0003.safetensors.4194304.unfinished', '.summary.json.4194304.unfinished'];
  for (const file of left) await writeFile(join(run, file), 'cut');
  expect((await tailmix(folder, 'train', '--resume', 'unfinished')).code).toBe(0);
  const files = await readdir(run, { recursive: true });
  expect(files.filter((file) => file.includes('unfinished'))).toEqual([]);
  expect(files).toContain('checkpoints/epoch-0003.safetensors');
});

it('a run killed before its first checkpoint is started from its beginning', async () => {
  const run = join(folder, 'killed');
  const child = start(folder, 'train', 'run.yaml', ...epochs, '--out', 'killed');
  const outcome = ended(child);
  signalAt(child, 'runs in killed', 'SIGKILL');
  expect((await outcome).code).toBe(null);
  expect((await readdir(run)).sort()).toEqual(expect.arrayContaining(['config.yaml', 'owner.lock']));
  expect(await readdir(run)).not.toContain('checkpoints');

  const again = await tailmix(folder, 'train', 'run.yaml', '--out', 'killed');
  expect({ code: again.code, stderr: again.stderr }).toMatchInlineSnapshot(`
    {
      "code": 2,
      "stderr": "killed: expected a new or empty folder for the run, but it holds a run already. Choose another --out, or continue that run with --resume.
    ",
    }
  `);
  const other = await tailmix(folder, 'train', '--resume', 'killed', '--set', 'train.batchSize=64');
  expect({ code: other.code, stderr: other.stderr }).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('expected the settings that the run began with'),
  });

  const resumed = await tailmix(folder, 'train', '--resume', 'killed');
  expect(resumed.stderr).toContain('there is no checkpoint: the run starts from its beginning\n');
  expect(resumed.code).toBe(0);
  expect(timeless(await metricsOf(run))).toEqual(timeless(metrics));
});

describe('a run whose checkpoints are gone', () => {
  it('is not trained again where it is finished', async () => {
    const run = await copyOf('gone');
    await rm(join(run, 'checkpoints'), { recursive: true });
    const { code, stderr } = await tailmix(folder, 'train', '--resume', 'gone');
    expect({ code, stderr }).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "gone: expected a checkpoint, or a run that is not finished; this one is finished (epoch 3) and has no checkpoint. It would train from its beginning and replace its results.
        Put its checkpoints back into gone/checkpoints, or train it again in another folder: tailmix train gone/config.yaml --out FOLDER
      ",
      }
    `);
    expect(await metricsOf(run)).toBe(metrics);
  });

  it.each([
    ['cut short', () => metrics.split('\n').slice(0, 2).join('\n').concat('\n'), 'has 2 epochs'],
    ['cut and torn', () => metrics.replace('"epoch":2,', '"epoch":'), 'is damaged'],
  ])('says what it replaces where it is %s', async (what, left, holds) => {
    const run = await copyOf(what);
    for (const name of ['checkpoints', 'summary.json', 'mlflow'])
      await rm(join(run, name), { recursive: true, force: true });
    await writeFile(join(run, 'metrics.jsonl'), left());
    const { code, stderr } = await tailmix(folder, 'train', '--resume', what);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(
      `there is no checkpoint: the run starts from its beginning, and replaces metrics.jsonl, which ${holds}\n`,
    );
    expect(timeless(await metricsOf(run))).toEqual(timeless(metrics));
  });
});

it.each([
  ['nothing', []],
  ['its lock', ['owner.lock']],
  ['a lock in the making', ['.owner.lock.unfinished']],
])('a run killed with no more than %s in its folder is started again, and --resume says so', async (_, files) => {
  const run = join(folder, 'unbegun');
  await rm(run, { recursive: true, force: true });
  await mkdir(run);
  for (const file of files) await writeFile(join(run, file), '');
  expect(await tailmix(folder, 'train', '--resume', 'unbegun')).toMatchObject({
    code: 2,
    stderr:
      'unbegun: expected a run, but there is none in it: none was started there, or it ended before it wrote its config. ' +
      'Start it with tailmix train CONFIG --out unbegun.\n',
  });
});
