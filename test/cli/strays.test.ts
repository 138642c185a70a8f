import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { readSpool } from '../../src/tracking/spool/read.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { ended, start } from './run.ts';

// A process that may wait for a build of changed sources.
vi.setConfig({ testTimeout: 300_000 });

const plugin = (body: string): string => `import { definePlugin, z } from 'tailmix';
export default definePlugin({
  name: 'stray',
  options: z.strictObject({}),
  apply({ hooks }) {
    ${body}
  },
});
`;

it.each([
  [
    'a timer that throws',
    "hooks.onTrainBegin.tap('stray', () => void setTimeout(() => { throw new Error('too late'); }));",
    'stray.ts:6:72: a timer or an event failed while the run was trained: too late\n' +
      '  Catch it where it may fail, or wait for it in a hook that may be asynchronous (on…).\n',
  ],
  [
    'a promise that nobody awaits',
    "hooks.onEpochBegin.tap('stray', () => void Promise.reject(new Error('lost')));",
    'stray.ts:6:63: a promise that nobody awaits failed while the run was trained: lost\n' +
      '  Catch it where it may fail, or wait for it in a hook that may be asynchronous (on…).\n',
  ],
  [
    'a timer that throws what cannot be read',
    "const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); hooks.onTrainBegin.tap('stray', () => void setTimeout(() => { throw proxy; }));",
    './stray.ts: a timer or an event failed while the run was trained: an error that cannot be read\n',
  ],
  [
    'a promise of what cannot be read',
    "hooks.onEpochBegin.tap('stray', () => { const { proxy, revoke } = Proxy.revocable({}, {}); const lost = Promise.reject(proxy); revoke(); });",
    './stray.ts: a promise that nobody awaits failed while the run was trained: an error that cannot be read\n',
  ],
  [
    'a stream that fails with what cannot be read',
    "hooks.onEpochBegin.tap('stray', () => void import('node:stream').then(({ Readable }) => new Readable({ read() { this.destroy(Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('no'); } })); } }).resume()));",
    'a timer or an event failed while the run was trained: no\n',
  ],
  [
    'process.exit in a hook',
    "hooks.onBatchEnd.tap('stray', () => process.exit(0));",
    '[stray] onBatchEnd: process.exit(0) was called while the run was trained. End a run with run.stop(reason), or throw an error.\n',
  ],
  [
    'process.exit in a timer',
    "hooks.onTrainBegin.tap('stray', () => void setTimeout(() => process.exit()));",
    'process.exit() was called while the run was trained. End a run with run.stop(reason), or throw an error.\n',
  ],
])('%s fails the run, which keeps its records', async (_, body, message) => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'stray.ts'), plugin(body));
  await writeFile(
    join(folder, 'run.yaml'),
    'data: { name: digits, workers: 0 }\nmodel: { name: mlp, width: 16 }\ntrain: { epochs: 40, step: eager }\nplugins: [{ use: ./stray.ts }]\n',
  );
  vi.stubEnv('MLFLOW_TRACKING_URI', 'http://127.0.0.1:1');
  const { code, stderr } = await ended(
    start(folder, 'train', 'run.yaml', '--out', 'a', '--set', 'plugins.mlflow.patience=0'),
  );
  vi.unstubAllEnvs();
  expect(code, stderr).toBe(1);
  expect(stderr).toContain(message);
  expect(stderr).not.toContain('internal');
  const summary = JSON.parse(await readFile(join(folder, 'a/summary.json'), 'utf8'));
  expect(summary).toMatchObject({ status: 'failed', reason: expect.stringContaining(message.split('\n')[0]!.trim()) });
  const statuses: string[] = [];
  for await (const { record } of readSpool(join(folder, 'a')))
    if (record?.type === 'status') statuses.push(record.status);
  expect(statuses).toEqual(['FAILED']);
});

it('a promise that fails as the run ends is told, and the run is finished', async () => {
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'stray.ts'), plugin("hooks.onTrainEnd.tap('stray', () => void Promise.reject(3));"));
  await writeFile(
    join(folder, 'run.yaml'),
    'data: { name: blobs, ratio: 4, options: { samples: 40 }, workers: 0 }\nmodel: { name: mlp, width: 2 }\ntrain: { epochs: 1, step: eager }\nplugins: [{ use: ./stray.ts }]\n',
  );
  const { code, stderr } = await ended(start(folder, 'train', 'run.yaml', '--out', 'a'));
  expect(code, stderr).toBe(1);
  expect(stderr).toContain('\n./stray.ts: a promise that nobody awaits failed while the run was trained: 3\n');
  expect(JSON.parse(await readFile(join(folder, 'a/summary.json'), 'utf8'))).toMatchObject({ status: 'finished' });
});

it('a timer and a server that nobody stops end with the command', async () => {
  const folder = await temporaryFolder();
  const body = `hooks.onTrainBegin.tap('stray', () => {
      setInterval(() => {}, 1000);
      void import('node:net').then(({ createServer }) => createServer().listen(0, '127.0.0.1'));
    });`;
  await writeFile(join(folder, 'stray.ts'), plugin(body));
  await writeFile(
    join(folder, 'run.yaml'),
    'data: { name: blobs, ratio: 4, options: { samples: 40 }, workers: 0 }\nmodel: { name: mlp, width: 2 }\ntrain: { epochs: 1, step: eager }\nplugins: [{ use: ./stray.ts }]\n',
  );
  const { code, stderr } = await ended(start(folder, 'train', 'run.yaml', '--out', 'a'));
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/the command is done\. What a plugin or a data set started .* ends with it: .*Timeout/);
  expect(JSON.parse(await readFile(join(folder, 'a/summary.json'), 'utf8'))).toMatchObject({ status: 'finished' });
});
