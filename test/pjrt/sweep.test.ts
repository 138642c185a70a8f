import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { main } from '../../src/cli/index.ts';
import { quickRun } from '../cli/run.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { describeDevices, plugin } from './support.ts';

describeDevices('a sweep over devices', () => {
  test('has a run on each at a time; none is in what identifies a run', { timeout: 300_000 }, async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'run.yaml'), quickRun.replace(', step: eager', ''));
    await writeFile(join(folder, 'sweep.yaml'), 'configs: [run.yaml]\nseeds: [0, 1, 2]\nset: { train.epochs: 1 }\n');
    vi.stubEnv('TAILMIX_BACKEND', 'native');
    vi.stubEnv('TAILMIX_PJRT', plugin);
    let errors = '';
    const spies = [
      vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
        errors += String(text);
        return true;
      }),
      vi.spyOn(process.stdout, 'write').mockReturnValue(true),
    ];
    const sweep = (device: string) =>
      main(['sweep', join(folder, 'sweep.yaml'), '--out', join(folder, 'runs'), '--device', device]);
    try {
      expect(await sweep('pjrt:1,2'), errors).toBe(0);
      expect(errors).toMatch(/3 runs, 2 at once, on pjrt:1 pjrt:2,/);
      const runs = (await readdir(join(folder, 'runs'))).filter((name) => name.startsWith('run-'));
      const textOf = async (file: string) =>
        (await Promise.all(runs.map((run) => readFile(join(folder, 'runs', run, file), 'utf8')))).sort();
      const devices = (await textOf('config.yaml')).map((text) => /device: (\S+)/.exec(text)?.[1]);
      expect(new Set(devices)).toEqual(new Set(['pjrt:1', 'pjrt:2']));
      for (const text of await textOf('summary.json')) expect(JSON.parse(text).device).toBe('cpu');
      expect(await sweep('pjrt:all'), errors).toBe(0);
      expect(errors).toMatch(/3 runs, 4 at once, on pjrt:0 pjrt:1 pjrt:2 pjrt:3,/);
      expect(errors.match(/was finished before/g)).toHaveLength(3);
    } finally {
      for (const spy of spies) spy.mockRestore();
      vi.unstubAllEnvs();
    }
  });
});
