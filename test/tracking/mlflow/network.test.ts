import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer as createHttp, request as httpRequest } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createMlflowClient, resolveSettings } from '../../../src/tracking/mlflow/index.ts';
import { messageOfError } from '../../support/message.ts';
import { listening, quick, started } from '../../support/mlflow-client.ts';
import { temporaryFolder } from '../../support/temporary.ts';

describe('calls', () => {
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
