import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { runCommand } from '../../../src/backend/run-command.ts';
import { writeFileStore } from '../../../src/tracking/file-store/write.ts';
import { openSpool, type SpoolWriter } from '../../../src/tracking/spool/write.ts';
import { tailmix } from '../../cli/run.ts';
import { installed } from '../../support/real-mlflow/install.ts';
import { type ReadRun, readExperiment } from '../../support/real-mlflow/read.ts';
import { hasMlflow, startMlflow, withoutMlflow } from '../../support/real-mlflow/server.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const EXPERIMENT = "digits: it's on";
const START = 1_700_000_000_000;

/** A run directory whose spool says all that a spool can say. */
async function writeRun(
  directory: string,
  uid: string,
  tell: (spool: SpoolWriter) => void = () => {},
  parent?: string,
) {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'config.yaml'), 'name: 1:30\n');
  const spool = openSpool(
    directory,
    () => ({
      time: START,
      uid,
      experiment: EXPERIMENT,
      name: 'no',
      tags: { 'mlflow.user': 'me', 'mlflow.note.content': 'two\nlines' },
      ...(parent === undefined ? {} : { parent: { uid: parent, directory: '../parent' } }),
    }),
    (error) => {
      throw error;
    },
  );
  tell(spool);
  spool.close();
}

function tellEverything(spool: SpoolWriter): void {
  spool.params({ 'plugins/mixup/alpha': '1', 'train.epochs': '0o10', empty: '', text: ' two\nlines ' });
  spool.tags({ 'tailmix.seed': '0', grüße: 'ü' });
  spool.tags({ 'tailmix.seed': '1' });
  for (const [i, loss] of [0.1, Number.NaN, Infinity, -Infinity, 5e-324, -0.25].entries())
    spool.metrics(i + 1, { 'train/loss': loss, 'test/accuracy': i / 3 }, START + 1000 + i);
  const dataset = { name: 'digits', sourceType: 'local', source: '{"uri":"x"}' };
  spool.write({
    type: 'inputs',
    datasets: [
      { ...dataset, digest: 'f00', context: 'train', profile: '{"num_rows":3}' },
      { ...dataset, digest: 'ba2', context: 'test', schema: '{}' },
    ],
  });
  spool.write({ type: 'artifact', path: 'config.yaml', file: 'config.yaml' });
  spool.write({ type: 'artifact', path: 'deep/a b ü.txt', file: 'config.yaml' });
  spool.write({ type: 'artifact', path: 'gone.txt', file: 'gone.txt' });
  spool.write({
    type: 'model',
    time: START + 3000,
    name: 'last',
    kind: 'classifier',
    step: 6,
    params: { epochs: '6' },
    tags: { own: 'yes' },
    files: [{ path: 'weights.bin', file: 'config.yaml' }],
    metrics: { time: START + 1005, step: 6, values: { 'test/accuracy': 5 / 3, 'train/loss': 'NaN' } },
  });
  spool.write({ type: 'status', status: 'FINISHED', time: START + 5000 });
}

/** Parent and child in a folder, written into `store`. */
async function exportTwo() {
  const folder = await temporaryFolder();
  const [parent, child, store] = ['parent', 'child', 'store'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeRun(parent, 'uid-parent');
  await writeRun(child, 'uid-child', tellEverything, 'uid-parent');
  const remarks: string[] = [];
  const write = () => writeFileStore(store, [child], (remark) => remarks.push(remark.replace(folder, '…')));
  return { folder, child, store, remarks, write, exported: await write() };
}

describe('a file store', () => {
  it('takes an unfinished experiment without its tags, and no folder that holds runs', async () => {
    const folder = await temporaryFolder();
    const store = join(folder, 'mlruns');
    await mkdir(join(store, '3/tags'), { recursive: true });
    await writeFile(join(store, '3/tags/of-another'), 'x');
    await mkdir(join(store, '1/0123456789abcdef0123456789abcdef'), { recursive: true });
    await writeFile(join(store, '2'), 'a file');
    await writeRun(join(folder, 'run'), 'uid');
    const write = async () => (await writeFileStore(store, [join(folder, 'run')])).map((run) => run.experimentId);
    expect(await write()).toEqual(['3']);
    expect(await readdir(join(store, '3/tags'))).not.toContain('of-another');
    await rm(join(store, '3/meta.yaml'));
    expect(await write()).toEqual(['4']);
    expect((await readdir(store)).sort()).toEqual(['1', '2', '3', '4']);
  });

  it('holds a run and the run it is a part of, under ids that stay', async () => {
    const { store, remarks, exported, write } = await exportTwo();
    expect(exported.map(({ experimentId, experiment }) => [experimentId, experiment])).toEqual([
      ['1', EXPERIMENT],
      ['1', EXPERIMENT],
    ]);
    expect(remarks).toEqual(['…/child: gone.txt: it is not in the run directory any more.']);
    const [parent, child] = exported.map(({ runId }) => join(store, '1', runId)) as [string, string];
    expect(parse(await readFile(join(child, 'meta.yaml'), 'utf8'), { version: '1.1' })).toMatchObject({
      run_name: 'no',
      status: 3,
      start_time: START,
      end_time: START + 5000,
      user_id: 'me',
    });
    expect(parse(await readFile(join(parent, 'meta.yaml'), 'utf8'))).toMatchObject({ status: 1, end_time: null });
    expect(await readFile(join(child, 'tags/mlflow.parentRunId'), 'utf8')).toBe(exported[0]!.runId);
    expect(await readFile(join(child, 'metrics/train/loss'), 'utf8')).toBe(
      [
        `${START + 1000} 0.1 1`,
        `${START + 1001} nan 2`,
        `${START + 1002} inf 3`,
        `${START + 1003} -inf 4`,
        `${START + 1004} 5e-324 5`,
        `${START + 1005} -0.25 6`,
        '',
      ].join('\n'),
    );
    await writeFile(join(child, 'artifacts/old'), '');
    expect(await write()).toEqual(exported);
    expect(await readdir(join(child, 'artifacts'))).toEqual(['config.yaml', 'deep']);
    expect((await readdir(store)).sort()).toEqual(['1']);
  });

  it('says what has no place in it', async () => {
    const folder = await temporaryFolder();
    await writeRun(join(folder, 'run'), 'u', (spool) => {
      spool.metrics(1, { loss: 1, 'loss/train': 2, ['ü'.repeat(200)]: 3 });
    });
    const remarks: string[] = [];
    const [run] = await writeFileStore(join(folder, 'store'), [join(folder, 'run')], (remark) => remarks.push(remark));
    expect(remarks.map((remark) => remark.replace(folder, '…').replace(/ü+/, 'ü…'))).toMatchInlineSnapshot(`
      [
        "…/run: loss has no place in a file store: the name of another begins with loss/.",
        "…/run: ü…… has no place in a file store: it is too long for the name of a file.",
      ]
    `);
    expect(await readdir(join(folder, 'store', run!.experimentId, run!.runId, 'metrics', 'loss'))).toEqual(['train']);
  });
});

it('is written by a command that says how to open it', async () => {
  const { folder } = await exportTwo();
  const { code, stdout, stderr } = await tailmix(folder, 'mlflow', 'export', '.', '--mlruns', 'my mlruns/mlruns');
  expect({
    code,
    stdout: stdout.replace(/[0-9a-f]{32}/g, 'ID'),
    stderr: stderr.replace(folder, '…'),
  }).toMatchInlineSnapshot(`
    {
      "code": 0,
      "stderr": "…/child: gone.txt: it is not in the run directory any more.

    MLflow 3.13 and later refuses to start in a folder that holds a file store called mlruns; another name avoids that.
    ",
      "stdout": "parent → my mlruns/mlruns/1/ID (digits: it's on)
    child → my mlruns/mlruns/1/ID (digits: it's on)

    MLflow 3.10 and later reads it into a new database:

      mlflow migrate-filestore --source 'my mlruns/mlruns' --target sqlite:///mlflow.db
      mlflow server --backend-store-uri sqlite:///mlflow.db --artifacts-destination 'my mlruns/mlruns'
    ",
    }
  `);
  expect(
    (await tailmix(folder, 'mlflow', 'export', 'store', '--mlruns', 'x')).stderr.replace(folder, '…'),
  ).toMatchInlineSnapshot(`
    "…/store: expected mlflow/spool.jsonl, which a run with the plugin \`mlflow\` writes; there is none. Point at the directory of such a run.
    "
  `);
  expect((await tailmix(folder, 'mlflow', 'export', 'nowhere', '--mlruns', 'x')).code).toBe(2);
});

describe.skipIf(!hasMlflow('exported runs are not read by MLflow'))('MLflow', () => {
  it('migrates what was exported, and has all of it', async () => {
    const { folder, store, exported } = await exportTwo();
    const told = await tailmix(folder, 'mlflow', 'export', 'child', '--mlruns', 'store', '--json');
    const { runs: again, commands } = JSON.parse(told.stdout) as { runs: typeof exported; commands: string[] };
    expect(again).toEqual(exported);
    expect(commands[1]).toBe('mlflow server --backend-store-uri sqlite:///mlflow.db --artifacts-destination store');
    const migrated = await runCommand(['sh', '-c', commands[0]!], {
      cwd: folder,
      env: {
        ...withoutMlflow(process.env),
        PATH: `${installed.programs}:${process.env.PATH}`,
        MLFLOW_DISABLE_TELEMETRY: 'true',
      },
    });
    expect(migrated, migrated.stderr).toMatchObject({ code: 0 });
    const database = join(folder, 'mlflow.db');
    const server = await startMlflow({ store: database, artifacts: store });
    onTestFinished(() => server.remove());
    const { experiment, runs } = await readExperiment(server, EXPERIMENT);
    expect(experiment.tags).toEqual({ 'mlflow.experimentKind': 'custom_model_development' });
    const hash = createHash('sha256').update('name: 1:30\n').digest('hex');
    const [parent, child] = exported.map(({ runId }) => runs.find((run) => run.runId === runId)!);
    expect(parent).toMatchObject({ status: 'RUNNING', endTime: null, metrics: {}, artifacts: {} });
    expect(child).toEqual({
      runId: exported[1]!.runId,
      name: 'no',
      status: 'FINISHED',
      startTime: START,
      endTime: START + 5000,
      metrics: {
        'train/loss': [0.1, 'NaN', Number.MAX_VALUE, -Number.MAX_VALUE, 5e-324, -0.25].map((value, i) => [
          i + 1,
          value,
          START + 1000 + i,
        ]),
        'test/accuracy': [0, 1, 2, 3, 4, 5].map((i) => [i + 1, i / 3, START + 1000 + i]),
      },
      latest: { 'train/loss': -0.25, 'test/accuracy': 5 / 3 },
      params: { 'plugins/mixup/alpha': '1', 'train.epochs': '0o10', empty: '', text: ' two\nlines ' },
      tags: {
        'mlflow.user': 'me',
        'mlflow.note.content': 'two\nlines',
        'mlflow.runName': 'no',
        'mlflow.parentRunId': exported[0]!.runId,
        'tailmix.uid': 'uid-child',
        'tailmix.seed': '1',
        grüße: 'ü',
      },
      datasets: expect.arrayContaining([
        {
          name: 'digits',
          sourceType: 'local',
          source: '{"uri":"x"}',
          digest: 'f00',
          context: 'train',
          profile: '{"num_rows":3}',
          schema: null,
        },
        {
          name: 'digits',
          sourceType: 'local',
          source: '{"uri":"x"}',
          digest: 'ba2',
          context: 'test',
          profile: null,
          schema: '{}',
        },
      ]),
      models: [
        {
          name: 'last',
          step: 6,
          status: 'READY',
          type: 'classifier',
          params: { epochs: '6' },
          tags: { own: 'yes' },
          metrics: [['test/accuracy', 6, 5 / 3]],
          artifacts: { 'weights.bin': hash },
        },
      ],
      artifacts: { 'config.yaml': hash, 'deep/a b ü.txt': hash },
    } satisfies ReadRun);
    // A busy machine takes a minute for the database and the server.
  }, 240_000);
});
