// Makes mlflow-table.png and mlflow-curves.png: MLflow's own page of runs from the address that `sync` prints, as Chromium shows it.
//
//   node bin/tailmix.mjs sweep configs/sweeps/digits.yaml && node docs/images/mlflow.mjs runs/digits/*-seed0-*
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
  let page = '';
  for (const directory of await findSpools(paths)) {
    const settings = resolveSettings(server.url, {}, folder);
    page = (await pagesOf(directory, settings.server, await syncRun(directory, settings))).experiment;
  }
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
  await shoot(page, () => tab.getByText('Remix-DRW seed 0'), 'mlflow-table.png', { height: 480 });
  const charts = page.replace('compareRunsMode=TABLE', 'compareRunsMode=CHART');
  await shoot(charts, () => tab.getByPlaceholder('Search metric charts'), 'mlflow-curves.png', { height: 1000 });
} finally {
  await browser.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}
