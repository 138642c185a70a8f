import type { AddressInfo, Server } from 'node:net';
import { onTestFinished } from 'vitest';
import { createMlflowClient, type MlflowClient, resolveSettings } from '../../src/tracking/mlflow/index.ts';
import { type FakeMlflow, type Fault, startFakeMlflow } from './fake-mlflow.ts';

/** Variables of a client that gives up soon. */
export const quick = { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '2', MLFLOW_HTTP_REQUEST_TIMEOUT: '1' };

/** A server and a client of it. */
export async function started(env: Record<string, string> = {}) {
  const fake = await startFakeMlflow();
  const client = createMlflowClient(resolveSettings(fake.url, { ...quick, ...env }, '/nowhere'));
  onTestFinished(async () => {
    await client.close();
    await fake.stop();
  });
  return { fake, client };
}

/** Faults of the first calls of a name; the following go well. */
export function faults(fake: FakeMlflow, name: string, ...list: Fault[]): void {
  fake.fault = (call) => (call.name === name ? list.shift() : undefined);
}

/** A point. */
export const metric = { key: 'loss', value: 0.5, timestamp: 1_700_000_000_000, step: 1 };

/** Makes a run. */
export async function newRun({ client }: { client: MlflowClient }): Promise<string> {
  const { experimentId } = await client.ensureExperiment('lt');
  return (await client.createRun({ experimentId, name: 'a run', startTime: 5 })).info.runId;
}

/** Has a server listen for the time of a test, and gives its address. */
export async function listening(server: Server, scheme = 'http'): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
