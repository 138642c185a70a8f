import { appendFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadRuns } from '../../src/report/runs.ts';
import { writeSyntheticRun } from './synthetic-runs.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tailmix-report-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const run = (method: string, seed = 1) => writeSyntheticRun(root, { method, seed, tailLift: 0, epochs: 3 });

describe('finding runs', () => {
  test('a run directory, a folder of them and both together give each run once, in natural order', async () => {
    const two = await writeSyntheticRun(join(root, 'sweep'), { method: 'm2', seed: 1, tailLift: 0, epochs: 2 });
    await writeSyntheticRun(join(root, 'sweep'), { method: 'm10', seed: 1, tailLift: 0, epochs: 2 });
    await mkdir(join(root, 'sweep', 'report'));
    const { runs, leftOut } = await loadRuns([root, two]);
    expect(runs.map(({ summary }) => summary.method)).toEqual(['m2', 'm10']);
    expect(leftOut).toEqual([]);
  });

  test('the order of the paths is kept', async () => {
    const [b, a] = [await run('b'), await run('a')];
    const { runs } = await loadRuns([b, a]);
    expect(runs.map(({ summary }) => summary.method)).toEqual(['b', 'a']);
    expect(runs[0]!.path).toBe(b);
  });

  test('links back give no run twice', async () => {
    await run('a');
    await symlink(root, join(root, 'self'));
    const { runs } = await loadRuns([root]);
    expect(runs.map(({ summary }) => summary.method)).toEqual(['a']);
  });

  test('a folder that only holds a configuration is no run', async () => {
    await writeFile(join(root, 'config.yaml'), 'name: x\n');
    expect(await loadRuns([root])).toEqual({ runs: [], leftOut: [] });
  });
});

describe('what is read', () => {
  test('summary, epochs, configuration', async () => {
    const directory = await run('ERM');
    const [loaded] = (await loadRuns([directory])).runs;
    const written = JSON.parse(await readFile(join(directory, 'summary.json'), 'utf8'));
    expect(loaded!.summary).toEqual(written);
    expect(loaded!.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(loaded!.epochs[2]!.test!.balancedAccuracy).toBe(written.last.balancedAccuracy);
    expect(loaded!.config).toMatchObject({ seed: 1, train: { epochs: 3 } });
    expect(loaded!.notes).toEqual([]);
  });

  test('of an epoch written twice the later line counts, and a line cut short is told', async () => {
    const directory = await run('ERM');
    const lines = (await readFile(join(directory, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
    const again = { ...JSON.parse(lines[1]!), imagesPerSecond: 1 };
    await appendFile(join(directory, 'metrics.jsonl'), `${JSON.stringify(again)}\n${lines[2]!.slice(0, 40)}`);
    const [loaded] = (await loadRuns([directory])).runs;
    expect(loaded!.epochs.map(({ epoch, imagesPerSecond }) => [epoch, imagesPerSecond === 1])).toEqual([
      [1, false],
      [2, true],
      [3, false],
    ]);
    expect(loaded!.notes).toEqual(['metrics.jsonl: line 5 cannot be read; the curves do without']);
  });

  test.each([
    ['config.yaml', 'a: [1', /^config\.yaml cannot be read \(.+\); the settings are unknown$/],
    ['config.yaml', null, /^config\.yaml is missing; the settings are unknown$/],
    ['metrics.jsonl', null, /^metrics\.jsonl holds no epoch; the run has no curves$/],
  ])('without a whole %s (%s) the run still counts', async (file, content, note) => {
    const directory = await run('ERM');
    if (content === null) await rm(join(directory, file));
    else await writeFile(join(directory, file), content);
    const { runs } = await loadRuns([directory]);
    expect(runs[0]!.notes).toEqual([expect.stringMatching(note)]);
  });
});

describe('what is left out, with the reason', () => {
  const damage = async (edit: (summary: Record<string, unknown>) => string | object) => {
    const directory = await run('ERM');
    const file = join(directory, 'summary.json');
    const edited = edit(JSON.parse(await readFile(file, 'utf8')));
    await writeFile(file, typeof edited === 'string' ? edited : JSON.stringify(edited));
    const { runs, leftOut } = await loadRuns([directory]);
    expect(runs).toEqual([]);
    return leftOut[0]!.reason;
  };

  test('cut off', async () => {
    expect(await damage((summary) => JSON.stringify(summary).slice(0, 99))).toMatch(
      /^summary\.json is damaged: not JSON \(.+\)$/,
    );
  });

  test('empty', async () => {
    expect(await damage(() => '')).toMatchInlineSnapshot(
      `"summary.json is damaged: not JSON (Unexpected end of JSON input)"`,
    );
  });

  test('another shape', async () => {
    expect(await damage(() => [])).toMatchInlineSnapshot(
      `"summary.json is damaged: content: Invalid input: expected object, received array"`,
    );
  });

  test('NaN, which JSON writes as null', async () => {
    expect(
      await damage((summary) => ({ ...summary, last: { ...(summary.last as object), accuracy: Number.NaN } })),
    ).toMatchInlineSnapshot(`"summary.json is damaged: last.accuracy: Invalid input: expected number, received null"`);
  });

  test('counts of another number of classes', async () => {
    expect(await damage((summary) => ({ ...summary, classCounts: [1, 2] }))).toMatchInlineSnapshot(
      `"summary.json is damaged: classCounts: expected 10 entries, one per class, got 2"`,
    );
  });

  test('confusion of a class that there is none of', async () => {
    expect(
      await damage((summary) => ({ ...summary, last: { ...(summary.last as object), confusion: [[9, 10, 1]] } })),
    ).toMatchInlineSnapshot(`"summary.json is damaged: last.confusion: expected labels from 0 to 9, got 10"`);
  });

  test('failed', async () => {
    expect(
      await damage((summary) => ({ ...summary, status: 'failed', reason: 'the loss is NaN in step 7' })),
    ).toMatchInlineSnapshot(`"failed: the loss is NaN in step 7"`);
  });

  test('never evaluated', async () => {
    expect(await damage((summary) => ({ ...summary, last: null }))).toMatchInlineSnapshot(
      `"finished without an evaluation on the test set"`,
    );
  });

  test('still running, or killed', async () => {
    const directory = await run('ERM');
    await rm(join(directory, 'summary.json'));
    expect((await loadRuns([root])).leftOut).toEqual([
      { path: directory, reason: 'unfinished: no summary.json, metrics.jsonl ends with epoch 3' },
    ]);
    await rm(join(directory, 'metrics.jsonl'));
    expect((await loadRuns([root])).leftOut[0]!.reason).toBe('unfinished: no summary.json, no finished epoch');
  });
});

describe('errors', () => {
  test('no path', async () => {
    await expect(loadRuns([])).rejects.toMatchObject({ code: 'REPORT_NO_PATHS', exitCode: 2 });
  });

  test('a path that is not there', async () => {
    await expect(loadRuns([join(root, 'nowhere')])).rejects.toMatchObject({ code: 'REPORT_PATH', exitCode: 2 });
  });

  test('a file', async () => {
    const directory = await run('ERM');
    await expect(loadRuns([join(directory, 'summary.json')])).rejects.toThrow(
      /is a file\. Give the folder that contains it/,
    );
  });
});
