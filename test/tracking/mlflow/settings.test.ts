import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isServer, resolveSettings } from '../../../src/tracking/mlflow/index.ts';
import { messageOfError } from '../../support/message.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const settings = (uri: string, env: Record<string, string> = {}, home = '/nowhere') => resolveSettings(uri, env, home);

it('knows a server from a store', () => {
  expect(
    ['http://a:5000', 'HTTPS://a/b', 'sqlite:///a.db', './mlruns', 'file:///a', 'databricks'].map(isServer),
  ).toEqual([true, true, false, false, false, false]);
});

it('keeps a prefix, leaves out credentials and slashes', () => {
  expect(settings('https://me:p%40ss@host:8443/ml//')).toMatchObject({
    server: 'https://host:8443/ml',
    authentication: { kind: 'basic', username: 'me', password: 'p@ss' },
  });
  expect(settings('http://me:100%@host').authentication).toMatchObject({ password: '100%' });
});

it('takes who calls from variables, then the address, then the credentials file, then a token', async () => {
  const home = await temporaryFolder();
  await mkdir(join(home, '.mlflow'));
  const file =
    '[other]\nmlflow_tracking_username = no\n[mlflow]\nmlflow_tracking_username = filed\nmlflow_tracking_password: pw\n';
  await writeFile(join(home, '.mlflow', 'credentials'), file);
  const variables = { MLFLOW_TRACKING_USERNAME: 'env', MLFLOW_TRACKING_PASSWORD: 'x', MLFLOW_TRACKING_TOKEN: 't' };
  expect(settings('http://url:y@h', variables, home).authentication).toMatchObject({ username: 'env' });
  expect(settings('http://url:y@h', {}, home).authentication).toMatchObject({ username: 'url' });
  expect(settings('http://h', { MLFLOW_TRACKING_TOKEN: 't' }, home).authentication).toEqual({
    kind: 'basic',
    username: 'filed',
    password: 'pw',
  });
  expect(settings('http://h', { MLFLOW_TRACKING_TOKEN: 't' }).authentication).toEqual({ kind: 'bearer', token: 't' });
  expect(settings('http://h').authentication).toBeNull();
});

it('reads the other variables, and their limits', async () => {
  expect(settings('http://h')).toMatchObject({ timeout: 30_000, retries: 3, workspace: null });
  const env = { MLFLOW_HTTP_REQUEST_TIMEOUT: '7', MLFLOW_HTTP_REQUEST_MAX_RETRIES: '50', MLFLOW_WORKSPACE: 'w' };
  expect(settings('http://h', env)).toMatchObject({ timeout: 7000, retries: 10, workspace: 'w' });
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'ca.pem'), 'PEM');
  const certificates = {
    MLFLOW_TRACKING_SERVER_CERT_PATH: join(folder, 'ca.pem'),
    MLFLOW_TRACKING_CLIENT_CERT_PATH: join(folder, 'ca.pem'),
  };
  expect(settings('https://h', certificates).tls).toEqual({ insecure: false, authority: 'PEM', client: 'PEM' });
  expect(settings('https://h', { MLFLOW_TRACKING_INSECURE_TLS: 'true' }).tls.insecure).toBe(true);
});

it('says what is wrong', async () => {
  const told = (uri: string, env?: Record<string, string>) => messageOfError(() => settings(uri, env));
  expect(await told('sqlite:///mlflow.db')).toMatchInlineSnapshot(
    `"MLflow tracking URI "sqlite:///mlflow.db": expected http:// or https://, the address of an MLflow server. Stores in files and databases are reached through one: \`mlflow server --backend-store-uri …\`, or \`tailmix mlflow ui\`."`,
  );
  expect(await told('http://me:secret@')).not.toContain('secret');
  expect(
    await told('https://h', { MLFLOW_TRACKING_INSECURE_TLS: '1', MLFLOW_TRACKING_SERVER_CERT_PATH: 'x' }),
  ).toMatchInlineSnapshot(
    `"MLflow: MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH are both set, and contradict each other. Unset one of them."`,
  );
  expect(await told('https://h', { MLFLOW_TRACKING_SERVER_CERT_PATH: 'nowhere.pem' })).toMatchInlineSnapshot(
    `"MLFLOW_TRACKING_SERVER_CERT_PATH: expected a file, and nowhere.pem cannot be read (ENOENT: no such file or directory, open 'nowhere.pem'). Check the path."`,
  );
});
