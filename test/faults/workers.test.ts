import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tailmix } from '../cli/run.ts';
import { differences, leftBy } from '../kills/left.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** Ends one of the loader's threads in the middle of an epoch, or gives all of them next to no memory; once. */
const saboteur = `import { existsSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import workers from 'node:worker_threads';
import { definePlugin, z } from 'tailmix';

const started = [];
class Worker extends workers.Worker {
  constructor(program, options) {
    const isLoader = String(program).includes('loader-worker');
    const small = isLoader && existsSync('small') && { resourceLimits: { maxOldGenerationSizeMb: 1, maxYoungGenerationSizeMb: 1 } };
    super(program, { ...options, ...small });
    if (isLoader) started.push(this);
  }
}
workers.Worker = Worker;
syncBuiltinESMExports();

export default definePlugin({
  name: 'saboteur',
  options: z.strictObject({}),
  apply({ hooks }) {
    hooks.onBatchEnd.tap('saboteur', ({ epoch, stepInEpoch }) => {
      if (epoch !== 2 || stepInEpoch !== 3 || !existsSync('kill')) return;
      rmSync('kill');
      started.at(-1).terminate();
    });
  },
});
`;

const config = `name: workers
data: { name: digits, workers: 2, augment: [{ name: pad-crop, padding: 2 }] }
model: { name: mlp, width: 4 }
train: { epochs: 3, batchSize: 64, step: eager }
plugins: [{ use: mixup }, { use: ./saboteur.ts }]
`;

test('a data worker that dies, or runs out of memory, ends the run with its cause, and --resume loses and doubles no batch', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'saboteur.ts'), saboteur);
  await writeFile(join(folder, 'run.yaml'), config);
  const whole = await tailmix(folder, 'train', 'run.yaml', '--out', 'whole');
  expect(whole.code, whole.stderr).toBe(0);

  for (const [file, cause] of [
    ['kill', 'exit code 1'],
    ['small', 'Worker terminated due to reaching memory limit: JS heap out of memory'],
  ] as const) {
    await writeFile(join(folder, file), '');
    await rm(join(folder, 'run'), { recursive: true, force: true });
    const { code, stderr } = await tailmix(folder, 'train', 'run.yaml', '--out', 'run');
    expect(code, stderr).toBe(1);
    expect(stderr).toContain(
      `data loader: expected its threads to run until closed; one ended with "${cause}". Set data.workers to 0 to load in the main thread.`,
    );
    if (existsSync(join(folder, 'run/summary.json')))
      expect(JSON.parse(await readFile(join(folder, 'run/summary.json'), 'utf8'))).toMatchObject({ status: 'failed' });
    await rm(join(folder, file), { force: true });
    const resumed = await tailmix(folder, 'train', '--resume', 'run');
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(differences(await leftBy(join(folder, 'whole')), await leftBy(join(folder, 'run')))).toEqual([]);
  }
});
