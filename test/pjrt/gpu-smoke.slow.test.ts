import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { describeDevices, plugin } from './support.ts';

describeDevices('bench/gpu-smoke.sh', () => {
  test('runs from a folder below 60 MB, without TensorFlow', { timeout: 900_000 }, async () => {
    const folder = join(await temporaryFolder(), 'packed');
    const home = await temporaryFolder();
    execFileSync(process.execPath, [resolve('bench/gpu-smoke/pack.mjs'), folder], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const files = readdirSync(folder, { recursive: true, withFileTypes: true });
    const bytes = files.map((file) => (file.isFile() ? statSync(join(file.parentPath, file.name)).size : 0));
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(60e6);
    const json = join(home, 'found.json');
    // No network is measured.
    const table = execFileSync(join(folder, 'gpu-smoke.sh'), ['--json', json, '--steps', '100', '--only', 'none'], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: home, TAILMIX_PJRT: plugin },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { checks, device } = JSON.parse(readFileSync(json, 'utf8'));
    expect(device).toMatchObject({ platform: 'cpu', count: 4 });
    expect(checks.map(({ name }: { name: string }) => name)).toEqual([
      'ops against TensorFlow on a CPU',
      'a training of 6 epochs',
      'stopped after epoch 3 and resumed',
      'trained once more',
      '4 devices share each batch',
      'memory over 100 steps',
    ]);
    for (const { right, text } of checks) expect(right, text).toBe(true);
    expect(checks[0].found).toMatchObject({ cases: 166, right: 164 });
    expect(table.match(/^ok /gm)).toHaveLength(6);
  });
});
