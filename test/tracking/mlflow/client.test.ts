import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { MlflowError } from '../../../src/tracking/mlflow/index.ts';
import type { Fault } from '../../support/fake-mlflow.ts';
import { messageOfError } from '../../support/message.ts';
import { faults, metric, newRun, started } from '../../support/mlflow-client.ts';
import { temporaryFolder } from '../../support/temporary.ts';

describe('calls', () => {
  it('log a run and read it back', async () => {
    const { client, fake } = await started();
    expect(await client.serverInfo()).toEqual({ storeType: 'SqlStore', artifactServing: true });
    const { experimentId } = await client.ensureExperiment('lt', [{ key: 'mlflow.note.content', value: 'hm' }]);
    const { info } = await client.createRun({
      experimentId,
      name: 'a run',
      startTime: 5,
      tags: [{ key: 'uid', value: 'x' }],
    });
    await client.logBatch(info.runId, {
      metrics: [metric, { ...metric, step: 2, value: NaN }],
      params: [{ key: 'lr', value: '0.1' }],
      tags: [{ key: 't', value: 'ü' }],
    });
    const dataset = { name: 'd', digest: '1', context: 'train', sourceType: 'local', source: '{}', profile: '{"n":1}' };
    await client.logInputs(info.runId, [dataset]);
    await client.setTag(info.runId, { key: 'late', value: '1' });
    await client.updateRun(info.runId, { status: 'FINISHED', endTime: 9 });
    expect(await client.getRun(info.runId)).toMatchObject({
      info: { runName: 'a run', status: 'FINISHED', startTime: 5, endTime: 9, experimentId },
      metrics: [{ key: 'loss', value: 'NaN', step: 2 }],
      params: [{ key: 'lr', value: '0.1' }],
      tags: [
        { key: 'uid', value: 'x' },
        { key: 't', value: 'ü' },
        { key: 'late', value: '1' },
      ],
      datasets: [dataset],
    });
    expect(await client.metricHistory(info.runId, 'loss')).toHaveLength(2);
    expect(await client.searchRuns([experimentId], "tags.`uid` = 'x'")).toHaveLength(1);
    expect(await client.searchRuns([experimentId], "tags.`uid` = 'y'")).toEqual([]);
    await client.deleteRun(info.runId);
    const refused = await messageOfError(() => client.logBatch(info.runId, { metrics: [metric] }), fake.url);
    expect(refused.replace(info.runId, 'ID')).toMatchInlineSnapshot(
      `"MLflow at …, POST /api/2.0/mlflow/runs/log-batch: 400, INVALID_PARAMETER_VALUE: The run ID must be in the 'active' state."`,
    );
    await client.restoreRun(info.runId);
    await client.logBatch(info.runId, { metrics: [metric] });
    expect((await client.getExperiment(experimentId)).name).toBe('lt');
  });

  it('send artifacts, texts and files, and models', async () => {
    const { client } = await started();
    const runId = await newRun({ client });
    const { info } = await client.getRun(runId);
    const file = join(await temporaryFolder(), 'file.bin');
    await writeFile(file, Buffer.from([0, 255, 10]));
    await client.uploadArtifact(info.artifactUri, 'a/with space ü.txt', { text: 'grüße' });
    await client.uploadArtifact(info.artifactUri, 'file.bin', { file });
    await client.uploadArtifact(info.artifactUri, 'empty', { text: '' });
    expect(await client.listArtifacts(runId)).toEqual([
      { path: 'a', isDirectory: true, size: null },
      { path: 'file.bin', isDirectory: false, size: 3 },
      { path: 'empty', isDirectory: false, size: 0 },
    ]);
    expect(await client.listArtifacts(runId, 'a')).toEqual([
      { path: 'a/with space ü.txt', isDirectory: false, size: 7 },
    ]);
    expect(await client.downloadArtifact(info.artifactUri, 'file.bin')).toEqual(Buffer.from([0, 255, 10]));
    await expect(client.uploadArtifact('s3://bucket/x', 'a', { text: '' })).rejects.toMatchInlineSnapshot(
      `[TailmixError: MLflow keeps artifacts of this run in s3://bucket/x, which only a client on the server's side can write. They stay in the run directory. Start the server with \`--artifacts-destination\` (and not \`--default-artifact-root\`) to send them.]`,
    );
    const folder = await temporaryFolder();
    await client.uploadArtifact(folder, 'deep/here.txt', { text: 'local' });
    await client.uploadArtifact(`file://${folder}`, 'deep/file.bin', { file });

    const { experimentId } = info;
    const model = await client.createModel({
      experimentId,
      name: 'remix',
      runId,
      type: 'classifier',
      tags: [{ key: 'uid', value: 'x' }],
    });
    expect(model.status).toBe('LOGGED_MODEL_PENDING');
    await client.finishModel(model.modelId, 'LOGGED_MODEL_READY');
    await client.logModelOutput(runId, model.modelId, 3);
    expect((await client.getModel(model.modelId)).status).toBe('LOGGED_MODEL_READY');
    expect(await client.searchModels([experimentId], "tags.`uid` = 'x'")).toHaveLength(1);
  });
});

describe('what the server does to bodies that are not right', () => {
  it('is what the client keeps from it: the rest of the call is lost, at 200', async () => {
    const { client, fake } = await started();
    const runId = await newRun({ client });
    const body = {
      run_id: runId,
      metrics: [metric, { ...metric, key: 'half', step: 1.5 }, { ...metric, key: 'gone' }],
      params: [{ key: 'lr', value: '0.1' }],
    };
    const answer = await fetch(`${fake.url}/api/2.0/mlflow/runs/log-batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(answer.status).toBe(200);
    const run = fake.store.runs.get(runId)!;
    expect(run.points.map(({ key, step }) => [key, step])).toEqual([
      ['loss', 1],
      ['half', 0],
    ]);
    expect(run.params.size).toBe(0);
    const before = fake.calls.length;
    await expect(client.logBatch(runId, { metrics: [{ ...metric, step: 1.5 }] })).rejects.toThrow('a whole number');
    expect(fake.calls).toHaveLength(before);
  });
});

describe('calls that fail in passing', () => {
  it.each<[string, Fault]>([
    ['429', { status: 429, text: 'slow down' }],
    ['503', { status: 503 }],
    ['an idle connection that the server closed', 'reset'],
    ['an answer that was lost', 'lost'],
    ['no answer in time', 'hang'],
  ])('are repeated with the same stamps: %s', async (_, fault) => {
    const { client, fake } = await started();
    const runId = await newRun({ client });
    faults(fake, 'POST runs/log-batch', fault);
    await client.logBatch(runId, { metrics: [metric] });
    const sent = fake.calls.filter(({ name }) => name === 'POST runs/log-batch');
    expect(sent).toHaveLength(2);
    expect(sent[1]!.body).toEqual(sent[0]!.body);
    expect(fake.store.runs.get(runId)!.points).toHaveLength(1);
  });

  it('wait for a slow answer', async () => {
    const { client, fake } = await started();
    faults(fake, 'POST runs/create', { slowMs: 300 });
    await newRun({ client });
    expect(fake.store.runs.size).toBe(1);
  });

  it.each<Fault>(['lost', 'reset', { status: 500 }])('create nothing twice: %j', async (fault) => {
    const { client, fake } = await started();
    const { experimentId } = await client.ensureExperiment('lt');
    faults(fake, 'POST runs/create', fault);
    const create = () => client.createRun({ experimentId, name: 'a', startTime: 1 });
    await expect(create()).rejects.toMatchObject({ isPassing: true });
    expect(fake.calls.filter(({ name }) => name === 'POST runs/create')).toHaveLength(1);
  });

  it('make an experiment once, whoever else makes it', async () => {
    const { client, fake } = await started();
    faults(fake, 'POST experiments/create', 'lost');
    expect((await client.ensureExperiment('lt')).experimentId).toBe('1');
    const four = await Promise.all(Array.from({ length: 4 }, () => client.ensureExperiment('other')));
    expect(new Set(four.map(({ experimentId }) => experimentId)).size).toBe(1);
    fake.store.experiments[0]!.stage = 'deleted';
    await expect(client.ensureExperiment('lt')).rejects.toMatchInlineSnapshot(
      `[TailmixError: MLflow experiment "lt": it was deleted, and a deleted one keeps its name. Restore it (\`mlflow experiments restore -x ID\`), or choose another name (MLFLOW_EXPERIMENT_NAME).]`,
    );
  });

  it('end when the client is closed', async () => {
    const { client, fake } = await started({ MLFLOW_HTTP_REQUEST_TIMEOUT: '60' });
    const runId = await newRun({ client });
    faults(fake, 'POST runs/log-batch', 'hang');
    const call = client.logBatch(runId, { metrics: [metric] });
    const failed = expect(call).rejects.toMatchObject({ failure: 'unreachable' });
    await vi.waitUntil(() => fake.calls.at(-1)!.name === 'POST runs/log-batch');
    await client.close();
    await failed;
  });
});

it('loads nothing of the trainer', () => {
  const program = `
    const { createMlflowClient } = await import('tailmix/mlflow');
    console.log(typeof createMlflowClient, typeof globalThis._tfengine);`;
  const text = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect(text.trim()).toBe('function undefined');
});

it('throws errors of one kind', async () => {
  const { client } = await started();
  await expect(client.getRun('nope')).rejects.toBeInstanceOf(MlflowError);
  await expect(client.getRun('nope')).rejects.toMatchObject({
    failure: 'refused',
    status: 404,
    errorCode: 'RESOURCE_DOES_NOT_EXIST',
  });
});
