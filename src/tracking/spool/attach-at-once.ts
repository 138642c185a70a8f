import { createMlflowClient } from '../mlflow/client.ts';
import type { MlflowSettings } from '../mlflow/settings.ts';
import { attachRun, type Destination } from './attach.ts';
import { whileSending } from './locks.ts';

/**
 * Has a server take a run whose spool has just begun: it answers within two seconds, lets us in, and makes the run.
 *
 * @throws {MlflowError}
 * @throws {TailmixError} SPOOL_MISSING, SPOOL_DAMAGED, MLFLOW_RUN_DELETED
 */
export async function attachAtOnce(
  runDirectory: string,
  settings: MlflowSettings,
  destination: Destination = {},
): Promise<void> {
  const client = createMlflowClient({ ...settings, retries: 0 });
  try {
    await client.serverInfo();
    await whileSending(runDirectory, () => attachRun(runDirectory, client, destination));
  } finally {
    await client.close();
  }
}
