import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { readSpool } from '../../src/tracking/spool/read.ts';
import { type FakeMlflow, startFakeMlflow } from '../support/fake-mlflow.ts';
import type { FakeRun } from '../support/fake-mlflow-store.ts';
import { spooledRun } from '../support/spooled-run.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { ended, quickRun, signalAt, start, tailmix } from './run.ts';

// Many processes in a row, each of which may wait for a build of changed sources.
vi.setConfig({ testTimeout: 300_000 });

async function begun() {
  const fake = await startFakeMlflow();
  onTestFinished(() => fake.stop());
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'run.yaml'), quickRun);
  const withServer = <T>(work: () => T): T => {
    vi.stubEnv('MLFLOW_TRACKING_URI', fake.url);
    return work();
  };
  onTestFinished(() => void vi.unstubAllEnvs());
  return { fake, folder, withServer };
}

const onlyRun = ({ store }: FakeMlflow): FakeRun => {
  expect(store.runs.size).toBe(1);
  return [...store.runs.values()][0]!;
};

/** Every point of a run's spool, and those of the server, by what tells points apart. */
async function points(directory: string, run: FakeRun): Promise<[string[], string[]]> {
  const spooled: string[] = [];
  for await (const { record } of readSpool(directory))
    if (record?.type === 'metrics')
      for (const [key, value] of Object.entries(record.values))
        spooled.push(JSON.stringify([key, record.step, value, record.time]));
  const stored = run.points.map(({ key, step, value, timestamp }) => JSON.stringify([key, step, value, timestamp]));
  return [spooled.sort(), stored.sort()];
}

const stepsOf = ({ points }: FakeRun, key: string): number[] =>
  points.filter((point) => point.key === key).map(({ step }) => step);

const view = 'workflowType=machine_learning&compareRunsMode=TABLE&viewStateShareKey=tailmix';
const page = (fake: FakeMlflow): string =>
  `${fake.url}/#/experiments/1/runs/${onlyRun(fake).runId}?workflowType=machine_learning`;

describe('a run that is killed', () => {
  it('is KILLED after a sync, goes on in its own run after a resume, and has no point twice', async () => {
    const { fake, folder, withServer } = await begun();
    const child = withServer(() => start(folder, 'train', 'run.yaml', '--out', 'runs/a', '--set', 'train.epochs=30'));
    signalAt(child, 'epoch 3/30', 'SIGKILL');
    expect(await ended(child)).toMatchObject({ code: null });
    vi.unstubAllEnvs();

    const synced = await tailmix(folder, 'mlflow', 'sync', 'runs/a', '--server', fake.url);
    expect(synced, synced.stderr).toMatchObject({
      code: 0,
      stdout: `runs/a  ${page(fake)}\nall runs  ${fake.url}/#/experiments/1/runs?${view}\n`,
    });
    expect(onlyRun(fake).status).toBe('KILLED');
    expect(onlyRun(fake).endTime).toBeGreaterThan(onlyRun(fake).startTime);
    expect(stepsOf(onlyRun(fake), 'train/loss').length).toBeGreaterThanOrEqual(2);

    // In a process of its own, which begins with the server that the first one had.
    const resumed = withServer(() => start(folder, 'train', '--resume', 'runs/a'));
    const end = await ended(resumed);
    expect(end, end.stderr).toMatchObject({ code: 0 });
    expect(end.stderr).toContain(`MLflow: ${page(fake)}\n`);
    const run = onlyRun(fake);
    expect(run.status).toBe('FINISHED');
    expect(stepsOf(run, 'train/loss')).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(new Set(stepsOf(run, 'step/loss')).size).toBe(stepsOf(run, 'step/loss').length);
    const [spooled, stored] = await points(join(folder, 'runs/a'), run);
    expect(stored).toEqual(spooled);
  });

  it('by Ctrl-C is KILLED by itself', async () => {
    const { fake, folder, withServer } = await begun();
    const child = withServer(() => start(folder, 'train', 'run.yaml', '--out', 'runs/a', '--set', 'train.epochs=90'));
    signalAt(child, 'epoch 2/90', 'SIGINT');
    expect((await ended(child)).code).toBe(130);
    expect(onlyRun(fake)).toMatchObject({ status: 'KILLED' });
    expect(onlyRun(fake).tags.get('tailmix.reason')).toBe('interrupted');
  });
});

describe('a sweep', () => {
  it('is a run whose children are its runs', async () => {
    const { fake, folder, withServer } = await begun();
    await writeFile(
      join(folder, 'sweep.yaml'),
      'configs: [run.yaml]\nseeds: [0, 1]\nset: { train.epochs: 1 }\ngrid: { plugins.remix.kappa: [2, 3] }\njobs: 2\n',
    );
    const ran = await withServer(() => tailmix(folder, 'sweep', 'sweep.yaml', '--report'));
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).not.toContain('Send the rest');
    const runs = [...fake.store.runs.values()];
    const sweep = runs.find(({ name }) => name === 'sweep')!;
    const children = runs.filter(({ tags }) => tags.get('mlflow.parentRunId') === sweep.runId);
    expect(children.map(({ name, status }) => [name, status]).sort()).toEqual(
      ['kappa=2 seed 0', 'kappa=2 seed 1', 'kappa=3 seed 0', 'kappa=3 seed 1'].map((of) => [`quick ${of}`, 'FINISHED']),
    );
    expect(runs).toHaveLength(5);
    expect(sweep).toMatchObject({ status: 'FINISHED', experimentId: children[0]!.experimentId });
    expect(Object.fromEntries(sweep.tags)).toMatchObject({ 'tailmix.runs': '4', 'tailmix.failed': '0' });
    expect([...fake.store.artifacts.keys()]).toContain(`1/${sweep.runId}/artifacts/report/sweep.html`);

    const again = await tailmix(folder, 'mlflow', 'sync', 'runs/sweep', '--server', fake.url);
    expect(again.stdout.match(/^all runs.*$/gm)).toEqual([`all runs  ${fake.url}/#/experiments/1/runs?${view}`]);
  });

  it('says how to send what a server did not take, and that sends all of it', async () => {
    const { fake, folder, withServer } = await begun();
    await fake.stop();
    await writeFile(join(folder, 'sweep.yaml'), 'configs: [run.yaml]\nset: { train.epochs: 1 }\n');
    const ran = await withServer(() => tailmix(folder, 'sweep', 'sweep.yaml'));
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toMatch(/nothing listens there.*\nSend the rest: tailmix mlflow sync runs\/sweep\n/);
    await fake.start();
    const synced = await withServer(() => tailmix(folder, 'mlflow', 'sync', 'runs/sweep', '--json'));
    expect(JSON.parse(synced.stdout)).toMatchObject([{ remarks: [] }, { remarks: [] }]);
    const [sweep, child] = [...fake.store.runs.values()];
    expect(child!.tags.get('mlflow.parentRunId')).toBe(sweep!.runId);
    expect([sweep!.status, child!.status]).toEqual(['FINISHED', 'FINISHED']);
  });
});

describe('sync', () => {
  it('sends every run of a folder, the later ones too when one fails', async () => {
    const { fake, folder } = await begun();
    for (const name of ['a', 'b', 'c']) await spooledRun(join(folder, 'runs', name), { uid: name, name });
    await writeFile(join(folder, 'runs/b/mlflow/spool.jsonl'), '{"type":"what"}\n');
    const sync = () => tailmix(folder, 'mlflow', 'sync', 'runs', '--server', `${fake.url}/`, '--experiment', 'all');
    const { code, stdout, stderr } = await sync();
    expect(code).toBe(1);
    expect(stdout.match(/^runs\/[ac] {2}http/gm)).toHaveLength(2);
    expect(stderr.replaceAll(folder, '…')).toMatchInlineSnapshot(`
      "runs/b: …/runs/b/mlflow/spool.jsonl: expected a run in its first line; ✖ Invalid discriminator value. Expected 'run' | 'params' | 'tags' | 'metrics' | 'inputs' | 'artifact' | 'model' | 'status' → at type. The file was changed or is of a newer tailmix; restore or delete it.
      "
    `);
    expect(fake.store.experiments.map(({ name }) => name)).toEqual(['all']);
    expect([...fake.store.runs.values()].map(({ name }) => name)).toEqual(['a', 'c']);
  });

  it('needs no address where a run was sent before; says what to do where it has none', async () => {
    const { fake, folder } = await begun();
    await spooledRun(join(folder, 'runs/a'));
    expect(await tailmix(folder, 'mlflow', 'sync', 'a')).toMatchInlineSnapshot(`
      {
        "code": 2,
        "stderr": "mlflow sync: expected the address of an MLflow server, got none. Give it with --server URL or MLFLOW_TRACKING_URI.
      ",
        "stdout": "",
      }
    `);
    expect((await tailmix(folder, 'mlflow', 'sync', 'a', '--server', fake.url)).code).toBe(0);
    expect((await tailmix(folder, 'mlflow', 'sync', 'a')).code).toBe(0);
    expect(fake.store.runs.size).toBe(1);
    const wrong = await tailmix(folder, 'mlflow', 'sync', 'a', '--server', 'sqlite:///x.db');
    expect([wrong.code, wrong.stderr]).toMatchInlineSnapshot(`
      [
        2,
        "MLflow tracking URI "sqlite:///x.db": expected http:// or https://, the address of an MLflow server. Stores in files and databases are reached through one: \`mlflow server --backend-store-uri …\`, or \`tailmix mlflow ui\`.
      ",
      ]
    `);
    expect((await readdir(join(folder, 'runs/a/mlflow'))).sort()).toEqual(['sent.json', 'spool.jsonl']);
  });
});
