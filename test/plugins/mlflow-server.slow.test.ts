import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { resolveSettings } from '../../src/tracking/mlflow/settings.ts';
import { syncRun } from '../../src/tracking/spool/sync.ts';
import { hearing, linesOf, onlyRun, server, stepsOf, train } from '../support/mlflow-plugin.ts';
import { temporaryFolder } from '../support/temporary.ts';

const told = hearing();

describe('with a server', () => {
  const quick = { patience: 30 };

  it('a run is sent while it goes on, and its address is told at the end', async () => {
    const fake = await server();
    const directory = await temporaryFolder();
    await train(directory, {
      options: { ...quick, server: fake.url },
      atEpoch: async (epoch) => {
        if (epoch === 2) return;
        await vi.waitUntil(() => [...fake.store.runs.values()][0]?.points.some(({ key }) => key === 'train/loss'), {
          timeout: 30_000,
        });
      },
    });
    const run = onlyRun(fake);
    expect(run.status).toBe('FINISHED');
    const view = 'workflowType=machine_learning&compareRunsMode=TABLE&viewStateShareKey=tailmix';
    expect(told()).toBe(
      `MLflow: ${fake.url}/#/experiments/1/runs/${run.runId}?workflowType=machine_learning\n` +
        `  all runs: ${fake.url}/#/experiments/1/runs?${view}\n`,
    );
    expect(JSON.parse(fake.store.experiments[0]!.tags.get('mlflow.sharedViewState.tailmix')!)).toMatchObject({
      selectedColumns: expect.arrayContaining(['metrics.`test/balanced_accuracy`', 'metrics.`test/few`']),
    });
    const names = [...fake.store.artifacts.keys()].map((path) => path.replace(/^1\/\w{32}\/artifacts\//, ''));
    expect(names).toEqual(expect.arrayContaining(['config.yaml', 'model_summary.txt', 'per_class.json']));
    expect(run.tags.get('mlflow.loggedArtifacts')).toBe('[{"path":"per_class.json","type":"table"}]');
  });

  it.each([
    ['none', []],
    ['last', [2]],
    ['all', [1, 2]],
  ] as const)('gets checkpoints as asked: %s', async (checkpoints, epochs) => {
    const fake = await server();
    const directory = await temporaryFolder();
    await train(directory, { options: { ...quick, server: fake.url, checkpoints }, writesCheckpoints: true });
    const sent = [...fake.store.artifacts]
      .filter(([path]) => path.includes('/artifacts/checkpoints/') && !path.includes('/models/'))
      .map(([path, bytes]) => [path.split('/').at(-1), String(bytes)]);
    expect(sent.sort()).toEqual(epochs.map((n) => [`epoch-000${n}.safetensors`, `weights of epoch ${n}`]));
    const newest = epochs.length > 0 ? 'checkpoints/epoch-0002.safetensors' : undefined;
    expect(onlyRun(fake).tags.get('mlflow.latest_checkpoint_artifact')).toBe(newest);
  });

  it('one that is away at the beginning and comes later gets everything, once', async () => {
    const fake = await server();
    await fake.stop();
    const directory = await temporaryFolder();
    await train(directory, {
      options: { ...quick, server: fake.url },
      atEpoch: async (epoch) => {
        if (epoch > 1) return;
        await vi.waitUntil(() => told().includes('cannot be reached'), { timeout: 30_000 });
        await fake.start();
      },
    });
    expect(told()).toMatch(/nothing listens there\. Start the server, or check the port\. Training continues/);
    expect(told()).toContain('MLflow is back');
    expect(stepsOf(onlyRun(fake), 'train/loss')).toEqual([1, 2]);
    expect(onlyRun(fake).status).toBe('FINISHED');
  });

  it('one that is restarted in mid-run gets what it missed, once', async () => {
    const fake = await server();
    const directory = await temporaryFolder();
    const arrived = (epoch: number) =>
      vi.waitUntil(() => [...fake.store.runs.values()].some((run) => stepsOf(run, 'train/loss').includes(epoch)), {
        timeout: 30_000,
      });
    await train(directory, {
      epochs: [1, 2, 3],
      options: { ...quick, server: fake.url },
      atEpoch: async (epoch) => {
        await arrived(epoch === 2 ? 1 : epoch);
        if (epoch === 1) await fake.stop();
        if (epoch === 2) {
          await vi.waitUntil(() => told().includes('cannot be reached'), { timeout: 30_000 });
          await fake.start();
        }
      },
    });
    const run = onlyRun(fake);
    expect(stepsOf(run, 'train/loss')).toEqual([1, 2, 3]);
    expect(stepsOf(run, 'step/loss')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(run.status).toBe('FINISHED');
  });

  it('one that is slow is waited for as long as it takes something', async () => {
    const fake = await server();
    fake.fault = () => ({ slowMs: 500 });
    const directory = await temporaryFolder();
    let before = 0;
    await train(directory, {
      options: { patience: 4, server: fake.url },
      atEpoch: async () => {
        await vi.waitUntil(() => fake.store.runs.size === 1, { timeout: 60_000 });
        before = fake.calls.length;
      },
    });
    expect(fake.calls.length - before).toBeGreaterThan(8);
    expect(told()).toMatch(/^MLflow: http.*\n {2}all runs: http.*\n$/);
    expect(onlyRun(fake).status).toBe('FINISHED');
  });

  it('one that never answers is not waited for, and the one command for the rest is told', async () => {
    const fake = await server();
    fake.fault = () => 'hang';
    const directory = await temporaryFolder();
    await train(directory, { options: { patience: 0.5, server: fake.url, experiment: 'long tails' } });
    expect(told()).toContain('MLflow does not have all of this run: It took nothing for 1 s.\n');
    expect(told()).toContain(
      `\nSend the rest: tailmix mlflow sync ${directory} --server ${fake.url} --experiment 'long tails'\n`,
    );
    fake.fault = () => undefined;
    await syncRun(directory, resolveSettings(fake.url, {}, '/nowhere'));
    expect(stepsOf(onlyRun(fake), 'train/loss')).toEqual([1, 2]);
  });

  it('one that wants to know who we are is told so once, and training goes on', async () => {
    const fake = await server();
    fake.fault = () => ({ status: 401, text: 'You are not authenticated.' });
    const directory = await temporaryFolder();
    await train(directory, {
      options: { patience: 0.5, server: fake.url },
      atEpoch: async () => {
        await vi.waitUntil(() => told().includes('Training continues'), { timeout: 60_000 });
      },
    });
    // Beside the command that sends the rest.
    expect(told().match(/Set MLFLOW_TRACKING_USERNAME/g)).toHaveLength(2);
    expect(told().match(/Training continues/g)).toHaveLength(1);
    expect((await linesOf(directory)).at(-1)).toMatchObject({ status: 'FINISHED' });
  });

  it('one that is away, and wants to know who we are when it comes, is told so then', async () => {
    const fake = await server();
    await fake.stop();
    const directory = await temporaryFolder();
    const heard = (text: string) => vi.waitUntil(() => told().includes(text), { timeout: 30_000 });
    await train(directory, {
      options: { patience: 0.5, server: fake.url },
      atEpoch: async (epoch) => {
        if (epoch > 1) return;
        await heard('nothing listens there');
        fake.fault = () => ({ status: 401, text: 'You are not authenticated.' });
        await fake.start();
        await heard('Set MLFLOW_TRACKING_USERNAME');
      },
    });
    expect(told()).toMatch(/MLflow does not have all of this run: .*401, it wants to know who you are/);
    expect(told().match(/nothing listens there/g)).toHaveLength(1);
  });

  it('a run directory that cannot be written ends tracking, not the run', async () => {
    const directory = await temporaryFolder();
    await writeFile(join(directory, 'mlflow'), 'in the way');
    await train(directory, { options: { server: 'http://127.0.0.1:9' } });
    expect(told()).toMatch(/^MLflow: .*Training continues without it\.\n$/s);
  });
});
