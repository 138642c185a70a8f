import { describe, expect, it } from 'vitest';
import type { Fault } from '../../support/fake-mlflow.ts';
import { messageOfError } from '../../support/message.ts';
import { started } from '../../support/mlflow-client.ts';

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
      `"MLflow at …, GET /api/2.0/mlflow/runs/get: expected JSON of MLflow, got "<html>login</html>". Is this an MLflow server?"`,
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
