import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer as createHttp, request as httpRequest } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createMlflowClient, MlflowError, resolveSettings } from '../../../src/tracking/mlflow/index.ts';
import { type FakeMlflow, type Fault, startFakeMlflow } from '../../support/fake-mlflow.ts';
import { messageOfError } from '../../support/message.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const quick = { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '2', MLFLOW_HTTP_REQUEST_TIMEOUT: '1' };

async function started(env: Record<string, string> = {}) {
  const fake = await startFakeMlflow();
  const client = createMlflowClient(resolveSettings(fake.url, { ...quick, ...env }, '/nowhere'));
  onTestFinished(async () => {
    await client.close();
    await fake.stop();
  });
  return { fake, client };
}

/** Faults of the first calls of a name; the following go well. */
function faults(fake: FakeMlflow, name: string, ...list: Fault[]): void {
  fake.fault = (call) => (call.name === name ? list.shift() : undefined);
}

const metric = { key: 'loss', value: 0.5, timestamp: 1_700_000_000_000, step: 1 };

async function newRun({ client }: { client: ReturnType<typeof createMlflowClient> }): Promise<string> {
  const { experimentId } = await client.ensureExperiment('lt');
  return (await client.createRun({ experimentId, name: 'a run', startTime: 5 })).info.runId;
}

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

  it('are sent below a prefix, with a workspace, and never from an origin', async () => {
    const seen: [string | undefined, unknown, unknown][] = [];
    const server = await listening(
      createHttp((request, response) => {
        seen.push([request.url, request.headers['x-mlflow-workspace'], request.headers.origin]);
        response.setHeader('content-type', 'application/json').end('{"experiment":{"experiment_id":"1","name":"a"}}');
      }),
    );
    const client = createMlflowClient(resolveSettings(`${server}/ml/`, { MLFLOW_WORKSPACE: 'team' }, '/nowhere'));
    onTestFinished(() => client.close());
    await client.getExperiment('1');
    expect(seen).toEqual([['/ml/api/2.0/mlflow/experiments/get?experiment_id=1', 'team', undefined]]);
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

describe('messages', () => {
  async function told(fault: Fault): Promise<string> {
    const { client, fake } = await started({ MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0' });
    fake.fault = () => fault;
    return messageOfError(() => client.getRun('r'), fake.url);
  }

  it('say what to do', async () => {
    expect(await told({ status: 401, text: 'You are not authenticated.' })).toMatchInlineSnapshot(
      `"MLflow at …, GET /api/2.0/mlflow/runs/get: 401, it wants to know who you are. Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or ~/.mlflow/credentials), or MLFLOW_TRACKING_TOKEN."`,
    );
    expect(await told({ status: 403, text: 'Permission denied' })).toMatchInlineSnapshot(
      `"MLflow at …, GET /api/2.0/mlflow/runs/get: 403, this user may not do that. Permission denied"`,
    );
    const refusedHost = await told({
      status: 403,
      text: 'Invalid Host header - possible DNS rebinding attack detected',
    });
    expect(refusedHost.replace(/127\.0\.0\.1:\d+/, 'HOST')).toMatchInlineSnapshot(
      `"MLflow at …, GET /api/2.0/mlflow/runs/get: 403, it does not answer under this host name. Start it with \`--allowed-hosts HOST\`, or reach it as localhost or by a private address."`,
    );
    const html = '<html><style>b{}</style><h1>Not  Found</h1></html>';
    expect(await told({ status: 404, type: 'text/html', text: html })).toMatchInlineSnapshot(
      `"MLflow at …, GET /api/2.0/mlflow/runs/get: 404, and no JSON: is this an MLflow server? Behind a prefix the address needs it (http://host/prefix). It said: Not Found"`,
    );
    expect(await told({ status: 200, type: 'text/html', text: '<html>login</html>' })).toMatchInlineSnapshot(
      `"MLflow at …, GET /api/2.0/mlflow/runs/get: expected JSON, got "<html>login</html>". Is this an MLflow server?"`,
    );
    const elsewhere = { location: 'https://elsewhere/' };
    expect(await told({ status: 302, headers: elsewhere })).toMatchInlineSnapshot(
      `"MLflow at …, GET /api/2.0/mlflow/runs/get: 302, it sends to https://elsewhere/. Set the tracking URI to where the server is."`,
    );
    expect(await told({ status: 503, text: '{"detail":"Artifact serving is disabled."}' })).toMatchInlineSnapshot(
      `"MLflow at …, GET /api/2.0/mlflow/runs/get: 503, Artifact serving is disabled."`,
    );
    expect(await told({ status: 500, text: 'x'.repeat(900) })).toMatch(/: 500, x{200}$/);
    expect(await told('hang')).toMatchInlineSnapshot(
      `"MLflow at … cannot be reached for GET /api/2.0/mlflow/runs/get: it took the call and did not answer. It is overloaded, or something between holds it up."`,
    );
  });

  it('name what keeps a server from being reached', async () => {
    const { client, fake } = await started({ MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0' });
    await fake.stop();
    expect(await messageOfError(() => client.getRun('r'), fake.url)).toMatchInlineSnapshot(
      `"MLflow at … cannot be reached for GET /api/2.0/mlflow/runs/get: nothing listens there. Start the server, or check the port."`,
    );
    await fake.start();
  });

  it('take a server that does not know itself for an older one', async () => {
    const { client, fake } = await started();
    fake.fault = () => ({ status: 404, type: 'text/html', text: '<html></html>' });
    expect(await client.serverInfo()).toBeNull();
  });
});

describe('through a proxy', () => {
  it('goes where HTTP_PROXY says, but never to this machine', async () => {
    const { fake } = await started();
    const asked: string[] = [];
    const proxy = await listening(
      createHttp((request, response) => {
        asked.push(`${request.method} ${request.url}`);
        const { pathname, search } = new URL(request.url!);
        const options = { method: request.method!, headers: request.headers };
        request.pipe(
          httpRequest(`${fake.url}${pathname}${search}`, options, (answer) => {
            response.writeHead(answer.statusCode!, answer.headers);
            answer.pipe(response);
          }),
        );
      }),
    );
    vi.stubEnv('http_proxy', undefined);
    vi.stubEnv('HTTP_PROXY', proxy);
    vi.stubEnv('NO_PROXY', '');
    vi.stubEnv('no_proxy', '');
    onTestFinished(() => void vi.unstubAllEnvs());
    const far = createMlflowClient(resolveSettings('http://mlflow.invalid:5000', quick, '/nowhere'));
    onTestFinished(() => far.close());
    expect((await far.ensureExperiment('lt')).experimentId).toBe('1');
    expect(asked[0]).toBe('GET http://mlflow.invalid:5000/api/2.0/mlflow/experiments/get-by-name?experiment_name=lt');
    const before = asked.length;
    const near = createMlflowClient(resolveSettings(fake.url, quick, '/nowhere'));
    onTestFinished(() => near.close());
    await near.getExperiment('1');
    expect(asked).toHaveLength(before);
  });
});

const hasOpenssl = (() => {
  try {
    return execFileSync('openssl', ['version']).length > 0;
  } catch {
    console.warn('SKIPPED: certificates are not tested, there is no openssl.');
    return false;
  }
})();

describe.skipIf(!hasOpenssl)('over TLS', () => {
  it('trusts the authority it is told, anything when told so, and else says what to set', async () => {
    const folder = await temporaryFolder();
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const files = ['-keyout', key, '-out', cert];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...files, ...subject], {
      stdio: 'ignore',
    });
    const url = await listening(
      createHttps({ key: await readFile(key), cert: await readFile(cert) }, (_, response) =>
        response.end('{"store_type":"x"}'),
      ),
      'https',
    );
    const info = async (env: Record<string, string>) => {
      const client = createMlflowClient(resolveSettings(url, env, '/nowhere'));
      try {
        return (await client.serverInfo())?.storeType;
      } finally {
        await client.close();
      }
    };
    expect(await info({ MLFLOW_TRACKING_SERVER_CERT_PATH: cert })).toBe('x');
    expect(await info({ MLFLOW_TRACKING_INSECURE_TLS: 'true' })).toBe('x');
    expect(await messageOfError(() => info({}), url)).toMatchInlineSnapshot(
      `"MLflow at … cannot be reached for GET /api/3.0/mlflow/server-info: its certificate is self-signed. Set MLFLOW_TRACKING_SERVER_CERT_PATH to the certificate of its authority."`,
    );
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

async function listening(server: Server, scheme = 'http'): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
