import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createMlflowClient, type MlflowClient, resolveSettings } from '../../../src/tracking/mlflow/index.ts';
import { startFakeMlflow } from '../../support/fake-mlflow.ts';
import { messageOfError } from '../../support/message.ts';
import { readExperiment } from '../../support/real-mlflow/read.ts';
import { hasMlflow, type RealMlflow, startMlflow } from '../../support/real-mlflow/server.ts';
import { temporaryFolder } from '../../support/temporary.ts';

describe.skipIf(!hasMlflow('the client is not tried against a real server'))('a real MLflow server', () => {
  let server: RealMlflow;
  let client: MlflowClient;

  beforeAll(async () => {
    server = await startMlflow();
    client = createMlflowClient(resolveSettings(server.url, {}, '/nowhere'));
  });
  afterAll(async () => {
    await client?.close();
    await server?.remove();
  });

  const hash = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

  it('holds what was logged, as its own Python client reads it', async () => {
    expect(await client.serverInfo()).toEqual({ storeType: 'SqlStore', artifactServing: true });
    const { experimentId } = await client.ensureExperiment('lt', [{ key: 'mlflow.note.content', value: 'hm' }]);
    const { info } = await client.createRun({ experimentId, name: 'ein Läufer', startTime: 1_700_000_000_000 });
    const at = 1_700_000_001_000;
    const batch = {
      metrics: [
        { key: 'test/acc', value: 0.1, timestamp: at, step: 1 },
        { key: 'test/acc', value: 1 / 3, timestamp: at + 1, step: 2 },
        { key: 'loss', value: Number.NaN, timestamp: at, step: 1 },
        { key: 'loss', value: Number.POSITIVE_INFINITY, timestamp: at, step: 2 },
        { key: 'loss', value: Number.NEGATIVE_INFINITY, timestamp: at, step: 3 },
        { key: 'loss', value: 5e-324, timestamp: at, step: 4 },
      ],
      params: [
        { key: 'plugins/mixup/alpha', value: '1' },
        { key: 'long', value: 'ü'.repeat(6000) },
      ],
      tags: [{ key: 'tag', value: 'x'.repeat(8000) }],
    };
    await client.logBatch(info.runId, batch);
    await client.logBatch(info.runId, batch); // Once more, as after an answer that was lost.
    const many = Array.from({ length: 1000 }, (_, i) => ({ key: 'many', value: i, timestamp: at + i, step: i }));
    await client.logBatch(info.runId, { metrics: many });
    const dataset = { name: 'digits', digest: 'f00', sourceType: 'local', source: '{"uri":"x"}', profile: '{"n":1}' };
    await client.logInputs(info.runId, [
      { ...dataset, context: 'train', schema: '{}' },
      { ...dataset, digest: 'ba2', context: 'test' },
    ]);
    const bytes = randomBytes(3_000_000);
    const file = join(await temporaryFolder(), 'model.bin');
    await writeFile(file, bytes);
    await client.uploadArtifact(info.artifactUri, 'checkpoints/model.bin', { file });
    await client.uploadArtifact(info.artifactUri, 'a/with space + ü 日本 (1), @.txt', { text: 'grüße' });
    await client.uploadArtifact(info.artifactUri, 'config.yaml', { text: 'first, and longer' });
    await client.uploadArtifact(info.artifactUri, 'config.yaml', { text: 'second' });
    expect(bytes.equals(await client.downloadArtifact(info.artifactUri, 'checkpoints/model.bin'))).toBe(true);
    const model = await client.createModel({
      experimentId,
      name: 'remix',
      runId: info.runId,
      type: 'classifier',
      params: [{ key: 'epochs', value: '2' }],
    });
    await client.uploadArtifact(model.artifactUri, 'MLmodel', { text: 'flavors: {}\n' });
    await client.finishModel(model.modelId, 'LOGGED_MODEL_READY');
    await client.logModelOutput(info.runId, model.modelId, 2);
    await client.logBatch(info.runId, {
      metrics: [{ key: 'test/acc', value: 0.75, timestamp: at + 2, step: 3, modelId: model.modelId }],
    });
    await client.updateRun(info.runId, { status: 'FINISHED', endTime: at + 5 });

    const { experiment, runs } = await readExperiment(server, 'lt');
    expect(experiment.tags).toMatchObject({ 'mlflow.note.content': 'hm' });
    const { tags, ...run } = runs[0]!;
    expect(tags).toMatchObject({ tag: 'x'.repeat(8000), 'mlflow.runName': 'ein Läufer' });
    expect(run).toEqual({
      runId: info.runId,
      name: 'ein Läufer',
      status: 'FINISHED',
      startTime: 1_700_000_000_000,
      endTime: at + 5,
      metrics: {
        'test/acc': [
          [1, 0.1, at],
          [2, 1 / 3, at + 1],
          [3, 0.75, at + 2],
        ],
        loss: [
          [1, 'NaN', at],
          [2, Number.MAX_VALUE, at],
          [3, -Number.MAX_VALUE, at],
          [4, 5e-324, at],
        ],
        many: many.map(({ value, timestamp, step }) => [step, value, timestamp]),
      },
      latest: { 'test/acc': 0.75, loss: 5e-324, many: 999 },
      params: { 'plugins/mixup/alpha': '1', long: 'ü'.repeat(6000) },
      datasets: expect.arrayContaining([
        { ...dataset, context: 'train', schema: '{}' },
        { ...dataset, digest: 'ba2', context: 'test', schema: null },
      ]),
      models: [
        {
          name: 'remix',
          step: 2,
          status: 'READY',
          type: 'classifier',
          params: { epochs: '2' },
          tags: expect.anything(),
          metrics: [['test/acc', 3, 0.75]],
          artifacts: { MLmodel: hash('flavors: {}\n') },
        },
      ],
      artifacts: {
        'a/with space + ü 日本 (1), @.txt': hash('grüße'),
        'checkpoints/model.bin': hash(bytes),
        'config.yaml': hash('second'),
      },
    });
    expect(await client.metricHistory(info.runId, 'many')).toHaveLength(1000);
  });

  it('says what went wrong', async () => {
    const { experimentId } = await client.ensureExperiment('errors');
    const { info } = await client.createRun({ experimentId, name: 'a', startTime: 1 });
    await client.logBatch(info.runId, { params: [{ key: 'lr', value: '0.1' }] });
    const told = async (call: () => Promise<unknown>) =>
      (await messageOfError(call, server.url)).replaceAll(info.runId, 'ID');
    expect(await told(() => client.getRun('0'.repeat(32)))).toMatchInlineSnapshot(
      `"MLflow at …, GET /api/2.0/mlflow/runs/get: 404, RESOURCE_DOES_NOT_EXIST: Run with id=00000000000000000000000000000000 not found"`,
    );
    expect(
      await told(() => client.logBatch(info.runId, { params: [{ key: 'lr', value: '0.2' }] })),
    ).toMatchInlineSnapshot(
      `"MLflow at …, POST /api/2.0/mlflow/runs/log-batch: 400, INVALID_PARAMETER_VALUE: Changing param values is not allowed. Params were already logged='[{'key': 'lr', 'old_value': '0.1', 'new_value': '0.2'}]' for run ID='ID'."`,
    );
    await client.deleteRun(info.runId);
    expect(await told(() => client.logBatch(info.runId, { tags: [{ key: 'a', value: 'b' }] }))).toMatchInlineSnapshot(
      `"MLflow at …, POST /api/2.0/mlflow/runs/log-batch: 400, INVALID_PARAMETER_VALUE: The run ID must be in the 'active' state. Current state is deleted."`,
    );
    const elsewhere = createMlflowClient(resolveSettings(`${server.url}/prefix`, {}, '/nowhere'));
    onTestFinished(() => elsewhere.close());
    expect(await told(() => elsewhere.getRun('x'))).toMatchInlineSnapshot(
      `"MLflow at …/prefix, GET /api/2.0/mlflow/runs/get: 404, and no JSON: is this an MLflow server? Behind a prefix the address needs it (http://host/prefix). It said: 404 Not Found Not Found The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again."`,
    );
  });

  it('is called on a new connection when this thread was busy for longer than it keeps one', async () => {
    const { experimentId } = await client.ensureExperiment('busy');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6000);
    const { info } = await client.createRun({ experimentId, name: 'a', startTime: 1 });
    expect(info.status).toBe('RUNNING');
  });

  describe('does to bodies that are not right what the fake server does', () => {
    const metric = { key: 'loss', value: 0.5, timestamp: 1_700_000_000_000, step: 1 };
    const later = { key: 'later', value: 1, timestamp: 1_700_000_000_000, step: 1 };
    const after = { params: [{ key: 'lr', value: '0.1' }], tags: [{ key: 'own', value: '1' }] };

    it.each<[string, Record<string, unknown>]>([
      ['all well', { metrics: [metric, later], ...after }],
      ['a step between whole numbers', { metrics: [metric, { ...metric, key: 'half', step: 1.5 }, later], ...after }],
      ['a time between whole numbers', { metrics: [{ ...metric, timestamp: 1.5 }, later], ...after }],
      ['a text for a value', { metrics: [{ ...metric, value: 'abc' }, later], ...after }],
      ['true for a value', { metrics: [{ ...metric, value: true }, later], ...after }],
      ['null for a value, as JSON writes NaN', { metrics: [{ ...metric, value: null }, later], ...after }],
      [
        'NaN and infinities by name',
        { metrics: ['NaN', 'Infinity', '-Infinity'].map((value, step) => ({ ...metric, value, step })) },
      ],
      [
        'a number for a param',
        {
          params: [
            { key: 'lr', value: 0.1 },
            { key: 'b', value: '1' },
          ],
          tags: after.tags,
        },
      ],
      [
        'a number for a tag',
        {
          metrics: [metric],
          tags: [
            { key: 'own', value: 1 },
            { key: 'b', value: '1' },
          ],
        },
      ],
      ['tags as an object', { metrics: [metric], tags: { own: '1' } }],
      ['no time', { metrics: [{ key: 'loss', value: 1, step: 1 }] }],
      ['a name that is refused', { metrics: [metric, { ...metric, key: 'top@5' }] }],
      [
        'the same param with another value',
        {
          params: [
            { key: 'lr', value: '1' },
            { key: 'lr', value: '2' },
          ],
        },
      ],
      ['a long param', { params: [{ key: 'lr', value: 'x'.repeat(7000) }] }],
      ['the same point twice', { metrics: [metric, metric] }],
    ])('%s', async (_, body) => {
      const fake = await startFakeMlflow();
      onTestFinished(() => fake.stop());
      const [real, pretended] = await Promise.all([server.url, fake.url].map((url) => stored(url, body)));
      expect(pretended).toEqual(real);
    });

    /** Status of a raw log-batch, and what the run holds then. */
    async function stored(url: string, body: Record<string, unknown>) {
      const client = createMlflowClient(resolveSettings(url, {}, '/nowhere'));
      onTestFinished(() => client.close());
      const { experimentId } = await client.ensureExperiment('damaged');
      const { info } = await client.createRun({ experimentId, name: 'a', startTime: 1 });
      const { status } = await fetch(`${url}/api/2.0/mlflow/runs/log-batch`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ run_id: info.runId, ...body }),
      });
      const { params, tags } = await client.getRun(info.runId);
      const keys = ['loss', 'half', 'later', 'top@5'];
      const points = (await Promise.all(keys.map((key) => client.metricHistory(info.runId, key)))).flat();
      const isOwn = ({ key }: { key: string }) => !key.startsWith('mlflow.');
      return { status, points, params, tags: tags.filter(isOwn) };
    }
  });
});
