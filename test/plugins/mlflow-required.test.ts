import { describe, expect, it } from 'vitest';
import { messageOfError } from '../support/message.ts';
import { hearing, hooksOf, linesOf, onlyRun, server, train } from '../support/mlflow-plugin.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { fakeRun } from '../support/tracked-run.ts';

hearing();

/** What a run ends with that is to be tracked or not to begin; null where it begins. */
async function refusal(options: { server?: string }, directory: string | null): Promise<string | null> {
  const run = fakeRun(directory);
  const hooks = hooksOf({ ...options, required: true });
  try {
    await hooks.onTrainBegin.promise(run);
    return null;
  } catch (error) {
    await hooks.onError.promise(error as Error, run);
    return messageOfError(() => Promise.reject(error), options.server);
  }
}

describe('a run that must be tracked', () => {
  it('is at the server before its first step', async () => {
    const fake = await server();
    const directory = await temporaryFolder();
    await train(directory, { options: { server: fake.url, required: true }, epochs: [] });
    expect(fake.calls[0]!.name).toBe('GET /api/3.0/mlflow/server-info');
    expect(onlyRun(fake).status).toBe('FINISHED');
  });

  it('does not begin where no server is named, or there is nowhere to keep it', async () => {
    expect(await refusal({}, await temporaryFolder())).toMatchInlineSnapshot(
      `"mlflow.required: expected a server that takes the run; no server is named: set MLFLOW_TRACKING_URI, or mlflow.server."`,
    );
    expect(await refusal({ server: 'http://127.0.0.1:9' }, null)).toMatchInlineSnapshot(
      `"mlflow.required: expected a server that takes the run; the run has no directory that its spool can be written to."`,
    );
  });

  it('does not begin where the server is away, silent, or does not let us in', async () => {
    const fake = await server();
    const directory = await temporaryFolder();
    fake.fault = ({ name }) => (name.endsWith('server-info') ? undefined : { status: 401 });
    expect(await refusal({ server: fake.url }, directory)).toMatchInlineSnapshot(
      `"[mlflow] onTrainBegin: MLflow at …, GET /api/2.0/mlflow/experiments/get-by-name: 401, it wants to know who you are. Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or ~/.mlflow/credentials), or MLFLOW_TRACKING_TOKEN."`,
    );
    fake.fault = () => 'hang';
    expect(await refusal({ server: fake.url }, await temporaryFolder())).toMatchInlineSnapshot(
      `"[mlflow] onTrainBegin: MLflow at … cannot be reached for GET /api/3.0/mlflow/server-info: it took the call and did not answer. It is overloaded, or something between holds it up."`,
    );
    await fake.stop();
    expect(await refusal({ server: fake.url }, await temporaryFolder())).toMatchInlineSnapshot(
      `"[mlflow] onTrainBegin: MLflow at … cannot be reached for GET /api/3.0/mlflow/server-info: nothing listens there. Start the server, or check the port."`,
    );
    await fake.start();
    expect((await linesOf(directory)).at(-1)).toMatchObject({ type: 'status', status: 'FAILED' });
  });
});
