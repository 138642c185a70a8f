import { join } from 'node:path';
import { writeRunReport } from '../../report/index.ts';
import { readSummary } from '../../tracking/run-directory.ts';
import type { SyncOptions } from '../../tracking/spool/sync.ts';

/** What a run gets before it is sent, where it has none: its report, and its model in the form that MLflow loads. */
export const writers: Required<Pick<SyncOptions, 'writeReport' | 'writeModel'>> = {
  writeReport: writeRunReport,
  async writeModel(directory, folder) {
    // As at the end of a run: what is exported are TensorFlow's ops.
    if ((await readSummary(directory))?.versions?.tensorflow === undefined) return;
    const { exportRun } = await import('../../predict.ts');
    await exportRun(directory, { format: 'mlflow', folder: join(directory, folder) });
  },
};
