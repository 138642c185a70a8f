import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { tailmix } from '../../cli/run.ts';
import { hasMlflow, type RealMlflow, startMlflow } from '../../support/real-mlflow/server.ts';
import { inTemporaryFolder } from '../../support/temporary.ts';

const composed = 'Gänse 한국 é'.normalize('NFC');

/** Of runs and experiments. */
const names = [
  composed,
  composed.normalize('NFD'),
  'قطط, 猫 と 犬, 👩‍👩‍👧',
  '__proto__',
  `it's "quoted" \\ 100%_ & <b>; DROP TABLE runs; --`,
  'a/b/../c?d=e#f',
  '-1e3',
  'x'.repeat(240),
];

describe.skipIf(!hasMlflow('names of runs are not tried against a real server'))(
  'odd names of runs and experiments in MLflow',
  { timeout: 300_000 },
  () => {
    const folder = inTemporaryFolder();
    let server: RealMlflow;

    beforeAll(async () => {
      server = await startMlflow();
    }, 400_000);
    afterAll(async () => server?.remove());

    const call = async (path: string, body?: unknown): Promise<Record<string, never>> => {
      const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      const answer = await fetch(`${server.url}/api/2.0/mlflow/${path}`, {
        ...init,
        headers: { 'content-type': 'application/json' },
      });
      return (await answer.json()) as Record<string, never>;
    };

    it.each(names)('%j is the same there, with each point once, when it is sent later too', async (name) => {
      const config = {
        name,
        data: { name: 'blobs', ratio: 4, options: { samples: 40 }, workers: 0 },
        model: { name: 'mlp', width: 2 },
        train: { epochs: 2, batchSize: 32, step: 'eager' },
        plugins: [
          {
            use: 'mlflow',
            experiment: name,
            tags: { [name === '__proto__' ? 'constructor' : name.slice(0, 20)]: name },
          },
        ],
      };
      await writeFile(join(folder(), 'run.yaml'), stringify(config));
      await rm(join(folder(), 'run'), { recursive: true, force: true });
      vi.stubEnv('MLFLOW_TRACKING_URI', server.url);
      const trained = await tailmix(folder(), 'train', 'run.yaml', '--out', 'run');
      expect(trained.code, trained.stderr).toBe(0);
      const synced = await tailmix(folder(), 'mlflow', 'sync', 'run', '--server', server.url);
      expect(synced.code, synced.stderr).toBe(0);

      const { experiment } = await call(`experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`);
      expect(experiment).toMatchObject({ name });
      const { experiment_id: id } = experiment as unknown as { experiment_id: string };
      const { runs } = await call('runs/search', { experiment_ids: [id] });
      expect(runs).toMatchObject([{ info: { run_name: `${name} seed 0`, status: 'FINISHED' } }]);
      const [run] = runs as unknown as [{ info: { run_id: string }; data: { tags: { key: string; value: string }[] } }];
      expect(run.data.tags.filter(({ value }) => value === name).length).toBeGreaterThan(1);
      const { metrics } = await call(`metrics/get-history?run_id=${run.info.run_id}&metric_key=train/loss`);
      expect((metrics as unknown as { step: number }[]).map(({ step }) => step)).toHaveLength(2);
    });

    it('two normal forms of a name are two experiments', async () => {
      const { experiments } = await call('experiments/search', { max_results: 100 });
      const found = (experiments as unknown as { name: string }[]).map(({ name }) => name);
      expect(found.filter((name) => name.normalize('NFC') === composed)).toHaveLength(2);
      expect(found).toHaveLength(names.length + 1);
    });
  },
);
