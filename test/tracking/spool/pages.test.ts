import { describe, expect, it, onTestFinished } from 'vitest';
import { view } from '../../../plugins/mlflow/view.ts';
import { createMlflowClient, resolveSettings } from '../../../src/tracking/mlflow/index.ts';
import { pagesOf } from '../../../src/tracking/spool/pages.ts';
import { syncRun } from '../../../src/tracking/spool/sync.ts';
import { startFakeMlflow } from '../../support/fake-mlflow.ts';
import { spooledRun } from '../../support/spooled-run.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const experimentTags = { [view.key]: view.value };
const place = { experimentId: '3', runId: 'f00' };

describe('pages of a run', () => {
  it('name the view that its experiment has', async () => {
    const directory = await temporaryFolder();
    await spooledRun(directory, { experimentTags });
    expect(await pagesOf(directory, 'http://host/ml', place)).toEqual({
      run: 'http://host/ml/#/experiments/3/runs/f00?workflowType=machine_learning',
      experiment:
        'http://host/ml/#/experiments/3/runs?workflowType=machine_learning&compareRunsMode=TABLE&viewStateShareKey=tailmix',
    });
  });

  it('name none where the spool gives it none: MLflow would refuse the address', async () => {
    const directory = await temporaryFolder();
    await spooledRun(directory);
    expect((await pagesOf(directory, 'http://host', place)).experiment).not.toContain('viewStateShareKey');
  });

  it('have it in experiments that are there already, and leave what those have', async () => {
    const fake = await startFakeMlflow();
    const settings = resolveSettings(fake.url, {}, '/nowhere');
    const client = createMlflowClient(settings);
    onTestFinished(async () => {
      await client.close();
      await fake.stop();
    });
    const kind = { key: 'mlflow.experimentKind', value: 'genai_development' };
    await client.ensureExperiment('digits', [kind]);
    const directory = await temporaryFolder();
    await spooledRun(directory, { experimentTags });
    await syncRun(directory, settings);
    expect((await client.getExperiment('1')).tags).toEqual([kind, view]);
  });
});
