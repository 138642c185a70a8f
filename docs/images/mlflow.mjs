// Makes mlflow-table.png, mlflow-curves.png, mlflow-sweep.png and mlflow-model.png: MLflow's own pages of a sweep's runs, from the
// addresses that `sync` prints, as Chromium shows them.
//
//   node bin/tailmix.mjs sweep configs/sweeps/digits.yaml && node docs/images/mlflow.mjs runs/digits
//
// Needs `mlflow` in PATH and Chromium (where the tests look for it).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';
import { writers } from '../../dist/src/cli/mlflow/complete.js';
import { findMlflow, startLocalServer } from '../../dist/src/tracking/local-server.js';
import { createMlflowClient } from '../../dist/src/tracking/mlflow/client.js';
import { resolveSettings } from '../../dist/src/tracking/mlflow/settings.js';
import { findSpools } from '../../dist/src/tracking/spool/find.js';
import { pagesOf } from '../../dist/src/tracking/spool/pages.js';
import { syncRun } from '../../dist/src/tracking/spool/sync.js';

const [, , ...paths] = process.argv;
const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const LIMIT_MS = 120_000;
/** Charts draw themselves in. */
const DRAWING_MS = 10_000;
const folder = mkdtempSync(join(tmpdir(), 'tailmix-mlflow-'));
const { launchChromium } = await createJiti(import.meta.url).import('../../test/support/chromium.ts');
const browser = await launchChromium();
const server = await startLocalServer(await findMlflow(), folder, { port: 0 });
try {
  const settings = resolveSettings(server.url, {}, folder);
  const client = createMlflowClient(settings);
  const pages = { experiment: '', sweep: '', model: '' };
  for (const directory of await findSpools(paths)) {
    const { experimentId, runId } = await syncRun(directory, settings, writers);
    const { run, experiment } = await pagesOf(directory, settings.server, { experimentId, runId });
    const { models, tags } = await client.getRun(runId);
    pages.experiment = experiment;
    if (tags.some(({ key }) => key === 'tailmix.sweep')) pages.sweep = run;
    for (const { modelId } of models)
      pages.model = `${server.url}/#/experiments/${experimentId}/models/${modelId}?workflowType=machine_learning`;
  }
  await client.close();
  const tab = await browser.newPage({ viewport: { width: 1500, height: 1000 } });
  /** Takes a picture of a page once it has what is waited for. */
  async function shoot(address, awaited, file, { height }) {
    await tab.setViewportSize({ width: 1500, height });
    await tab.goto('about:blank');
    await tab.goto(address);
    await awaited().first().waitFor({ timeout: LIMIT_MS });
    for (const button of await tab.getByRole('button', { name: /close/i }).all()) await button.click();
    await tab.waitForTimeout(DRAWING_MS);
    await tab.screenshot({ path: here(file) });
  }
  await shoot(pages.experiment, () => tab.getByText('Remix-DRW seed 0'), 'mlflow-table.png', { height: 640 });
  const charts = pages.experiment.replace('compareRunsMode=TABLE', 'compareRunsMode=CHART');
  await shoot(charts, () => tab.getByPlaceholder('Search metric charts'), 'mlflow-curves.png', { height: 1000 });
  await shoot(pages.sweep, () => tab.getByText('Child runs'), 'mlflow-sweep.png', { height: 900 });
  await shoot(pages.model, () => tab.getByText('Model ID'), 'mlflow-model.png', { height: 900 });
} finally {
  await browser.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
