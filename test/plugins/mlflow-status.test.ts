import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { resolveSettings } from '../../src/tracking/mlflow/settings.ts';
import { own, ownerFile } from '../../src/tracking/ownership.ts';
import { syncRun } from '../../src/tracking/spool/sync.ts';
import { gone, lockOf } from '../support/locks.ts';
import { hearing, hooksOf, linesOf, onlyRun, server, stepsOf, type Trained, train } from '../support/mlflow-plugin.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { epochMetrics, fakeRun } from '../support/tracked-run.ts';

hearing();

describe('statuses', () => {
  const statusAfter = async (trained: Trained) => {
    const directory = await temporaryFolder();
    await train(directory, trained);
    return (await linesOf(directory)).flatMap((line) => (line.type === 'status' ? [line.status] : []));
  };
  const stopped = (interrupted: boolean): Trained => ({
    run: { interrupted, summary: () => ({ ...fakeRun(null).summary(), status: 'stopped', reason: 'interrupted' }) },
  });

  it('FINISHED, also where a plugin stopped it; KILLED by a signal; FAILED by an error', async () => {
    expect(await statusAfter({})).toEqual(['FINISHED']);
    expect(await statusAfter(stopped(false))).toEqual(['FINISHED']);
    expect(await statusAfter(stopped(true))).toEqual(['KILLED']);
    expect(await statusAfter({ error: new Error('loss') })).toEqual(['FAILED']);
  });

  it('a resumed run goes on: RUNNING, no point twice, its parameters kept, one model for an epoch', async () => {
    const directory = await temporaryFolder();
    const fake = await server();
    const settings = resolveSettings(fake.url, {}, '/nowhere');
    const config = { seed: 0, plugins: [{ use: 'remix', kappa: 3 }] };
    await train(directory, { epochs: [1, 2], error: new Error('power'), run: { config } });
    await syncRun(directory, settings);
    const before = structuredClone(onlyRun(fake).points);
    expect(onlyRun(fake).status).toBe('FAILED');

    const changed = { seed: 0, plugins: [{ use: 'remix', kappa: 4 }] };
    await train(directory, { epochs: [2, 3], run: { resumedFrom: 1, config: changed } });
    await train(directory, { epochs: [], run: { resumedFrom: 3, config: changed } });
    await syncRun(directory, settings);
    const run = onlyRun(fake);
    expect(run.status).toBe('FINISHED');
    expect(stepsOf(run, 'train/loss')).toEqual([1, 2, 3]);
    expect(stepsOf(run, 'step/loss')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(run.points.slice(0, before.length)).toEqual(before);
    expect(run.params.get('plugins.remix.kappa')).toBe('3');
    expect(run.tags.get('resumed.plugins.remix.kappa')).toBe('4');
    expect(fake.store.models.size).toBe(1);
  });

  it('a run whose process is gone is KILLED by the next sync, at the time of its last line', async () => {
    const directory = await temporaryFolder();
    const hooks = hooksOf({ every: 1 });
    const run = fakeRun(directory);
    const ownership = await own(directory);
    await hooks.onTrainBegin.promise(run);
    await hooks.onEpochEnd.promise(epochMetrics(1), run);
    const fake = await server();
    const settings = resolveSettings(fake.url, {}, '/nowhere');
    expect(await syncRun(directory, settings)).toMatchObject({ isRunning: true });
    expect(onlyRun(fake)).toMatchObject({ status: 'RUNNING', endTime: null });
    const last = (await linesOf(directory)).at(-1)!.time;
    await ownership.release();
    // As the lock of a process that was killed.
    await writeFile(ownerFile(directory), lockOf(gone()));
    expect(await syncRun(directory, settings)).toMatchObject({ isRunning: false });
    expect(onlyRun(fake)).toMatchObject({ status: 'KILLED', endTime: last });
  });
});
