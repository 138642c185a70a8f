// Makes mlflow-curves.png: MLflow's own page of runs, as Chromium shows it.
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
import { findMlflow, startLocalServer } from '../../dist/src/tracking/local-server.js';
import { resolveSettings } from '../../dist/src/tracking/mlflow/settings.js';
import { findSpools } from '../../dist/src/tracking/spool/find.js';
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
  let experiment = '';
  for (const directory of await findSpools(paths))
    experiment = (await syncRun(directory, resolveSettings(server.url, {}, folder))).experimentId;
  const page = await browser.newPage({ viewport: { width: 1500, height: 1000 } });
  const view = 'workflowType=machine_learning&compareRunsMode=CHART';
  await page.goto(`${server.url}/#/experiments/${experiment}/runs?${view}`);
  await page.getByPlaceholder('Search metric charts').waitFor({ timeout: LIMIT_MS });
  for (const button of await page.getByRole('button', { name: /close/i }).all()) await button.click();
  await page.waitForTimeout(DRAWING_MS);
  await page.getByPlaceholder('Search metric charts').fill('^(test/(accuracy|balanced|few|many)|train/loss|speed/im)');
  await page.waitForTimeout(DRAWING_MS);
  await page.screenshot({ path: here('mlflow-curves.png') });
} finally {
  await browser.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
