import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { RunSummary } from '../../src/metrics/types.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { ended, quickRun, signalAt, start, tailmix } from './run.ts';

// Many processes in a row, each of which may wait for a build of changed sources.
vi.setConfig({ testTimeout: 300_000 });

async function quickFolder(): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'run.yaml'), quickRun);
  return folder;
}

describe('train', () => {
  it('leaves a run directory that evaluate, a second train and --resume understand', async () => {
    const folder = await quickFolder();
    const { code, stdout, stderr } = await tailmix(folder, 'train', 'run.yaml', '--out', 'runs/a', '--plan', '--json');
    expect({ code, plan: stderr.includes('computeTargets          remix(0)') }).toEqual({ code: 0, plan: true });
    const summary = JSON.parse(stdout) as RunSummary & { directory: string };
    expect(summary).toMatchObject({ status: 'finished', backend: 'wasm', stepMode: 'eager', lastEpoch: 2 });
    expect((await readdir(join(folder, 'runs/a'))).sort()).toEqual([
      'checkpoints',
      'config.yaml',
      'logits-test.safetensors',
      'metrics.jsonl',
      'mlflow',
      'plan.txt',
      'subset.json',
      'summary.json',
    ]);

    const evaluated = await tailmix(folder, 'evaluate', 'runs/a', '--json');
    expect(JSON.parse(evaluated.stdout)).toMatchObject({
      epoch: 2,
      split: 'test',
      accuracy: summary.last!.accuracy,
      confusion: summary.last!.confusion,
    });
    expect(await tailmix(folder, 'evaluate', 'runs/a', '--split', 'validation')).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "runs/a: expected validation images; the run has none (data.split.validation). Evaluate on --split test.
      ",
        "stdout": "",
      }
    `);

    const again = await tailmix(folder, 'train', 'run.yaml', '--out', 'runs/a');
    expect({ code: again.code, stderr: again.stderr }).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "runs/a: expected a new or empty folder for the run, but it holds a run already. Choose another --out, or continue that run with --resume.
      ",
      }
    `);

    const resumed = await tailmix(folder, 'train', '--resume', 'runs/a', '--json');
    expect(JSON.parse(resumed.stdout)).toMatchObject({
      status: 'finished',
      last: { accuracy: summary.last!.accuracy },
    });

    const other = await tailmix(folder, 'train', '--resume', 'runs/a', '--set', 'train.batchSize=64');
    expect({ code: other.code, stderr: other.stderr.replaceAll(/hash \w{8}/g, 'hash …') }).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "runs/a: expected the settings that the run began with (hash …), got others (hash …).
        Leave out --set of what decides results and undo changes of plugin files, or start a new run.
      ",
      }
    `);
    expect((await tailmix(folder, 'train', 'run.yaml', '--resume', 'runs/a')).stderr).toMatchInlineSnapshot(`
      "--resume: expected nothing but the run and --set, got the config run.yaml too. A resumed run keeps its own.
      "
    `);
    expect((await tailmix(folder, 'train', '--seed', '1', '--resume', 'runs/a')).stderr).toMatchInlineSnapshot(`
      "--resume: expected nothing but the run and --set, got --seed too. A resumed run keeps its own.
      "
    `);
  });

  it('ends in good order at Ctrl-C, and goes on from there', async () => {
    const folder = await quickFolder();
    const child = start(folder, 'train', 'run.yaml', '--out', 'runs/a', '--set', 'train.epochs=40', '--json');
    signalAt(child, 'epoch 2/40', 'SIGINT');
    const { code, stdout, stderr } = await ended(child);
    expect(code).toBe(130);
    expect(stderr).toContain('interrupted: the run ends after this step and can be resumed.');
    const summary = JSON.parse(stdout) as RunSummary;
    expect(summary).toMatchObject({ status: 'stopped', reason: 'interrupted' });
    expect(summary.lastEpoch).toBeLessThan(40);
    const resumed = await tailmix(folder, 'train', '--resume', 'runs/a', '--json');
    expect(JSON.parse(resumed.stdout)).toMatchObject({ status: 'finished', lastEpoch: 40 });
    const lines = (await readFile(join(folder, 'runs/a/metrics.jsonl'), 'utf8')).trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { epoch: number }).epoch)).toEqual(
      Array.from({ length: 40 }, (_, i) => i + 1),
    );
  });

  it('leaves no folder behind when the data are missing', async () => {
    const folder = await quickFolder();
    const { code } = await tailmix(
      folder,
      'train',
      'run.yaml',
      ...['--set', 'data={ name: cifar10 }', '--data-root', 'none', '--out', 'runs/a'],
    );
    expect(code).not.toBe(0);
    expect(existsSync(join(folder, 'runs/a'))).toBe(false);
  });
});
