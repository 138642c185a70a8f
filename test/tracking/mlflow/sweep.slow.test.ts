import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runCommand } from '../../../src/backend/run-command.ts';
import { tailmix } from '../../cli/run.ts';
import { installed } from '../../support/real-mlflow/install.ts';
import { readExperiment } from '../../support/real-mlflow/read.ts';
import { hasMlflow, type RealMlflow, startMlflow } from '../../support/real-mlflow/server.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const config = `name: erm
method: ERM
data: { name: digits, ratio: 100, workers: 0, split: { validation: 0.2 } }
model: { name: mlp, width: 16 }
train: { epochs: 2, step: eager, batchSize: 128 }
`;

describe.skipIf(!hasMlflow('no sweep is tracked by a real MLflow server'))('a sweep in MLflow', () => {
  let server: RealMlflow;
  beforeAll(async () => {
    server = await startMlflow();
  });
  afterAll(() => server?.remove());

  it('has means and deviations, the best on validation, and what varies; its table by MLflow’s client is the report’s', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'erm.yaml'), config);
    const grid = 'configs: [erm.yaml]\nseeds: [0, 1]\ngrid: { train.optimizer.learningRate: [0.1, 0.05] }\n';
    await writeFile(join(folder, 'trial.yaml'), `name: trial\n${grid}`);
    vi.stubEnv('MLFLOW_TRACKING_URI', server.url);
    vi.stubEnv('MLFLOW_EXPERIMENT_NAME', 'long tails');
    // The script's rows come in the order in which runs began, which is that of the sweep only where one follows the other.
    const { code, stderr } = await tailmix(folder, 'sweep', 'trial.yaml', '--report', '--jobs', '1');
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(`MLflow: ${server.url}\n`);

    const { runs } = await readExperiment(server, 'long tails');
    const parent = runs.find(({ tags }) => tags['mlflow.parentRunId'] === undefined)!;
    expect(stderr).toContain(`/runs/${parent.runId}?`);
    expect(runs.filter(({ tags }) => tags['mlflow.parentRunId'] === parent.runId)).toHaveLength(4);
    expect(parent.params).toEqual({ seed: '0, 1', 'train.optimizer.learningRate': '0.1, 0.05' });
    const report = JSON.parse(await readFile(join(folder, 'runs/trial/report/report.json'), 'utf8'));
    for (const { method, balancedAccuracy, sd } of report.methods) {
      const name = method.replace(/[()]/g, '');
      expect(parent.latest[`${name}/balanced_accuracy`]).toBe(balancedAccuracy);
      expect(parent.latest[`${name}/balanced_accuracy_sd`]).toBe(sd.balancedAccuracy);
    }
    expect(parent.tags['tailmix.best_on_validation']).toMatch(
      /^ERM \(learningRate 0\.\d+\): balanced accuracy [\d.]+ % on validation, [\d.]+ % on test/,
    );

    const script = resolve('examples/mlflow/compare.py');
    const table = await runCommand([installed.python, script, 'trial', 'long tails'], {
      env: { ...process.env, MLFLOW_TRACKING_URI: server.url, MLFLOW_DISABLE_TELEMETRY: 'true' },
    });
    vi.unstubAllEnvs();
    const page = await readFile(join(folder, 'runs/trial/report/results.md'), 'utf8');
    expect(table.stderr).not.toContain('Traceback');
    expect(table.stdout.split('\n')).toHaveLength(5);
    expect(page).toContain(`\n\n${table.stdout}\n`);
  }, 400_000);
});
