import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import type { EpochMetrics } from '../../src/metrics/types.ts';
import { PROGRESS_VARIABLE, type ProgressMessage } from '../../src/tracking/progress-message.ts';
import { describeDevice, plugin } from '../pjrt/support.ts';
import { temporaryFolder } from '../support/temporary.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const launcher = join(import.meta.dirname, '../../bin/tailmix.mjs');
const settings = ['--set', 'train.epochs=4', '--set', 'train.batchSize=16', '--set', 'plugins.drw.deferUntil=2'];

/** Starts `tailmix` with progress sent to us; `watch` sees each message. */
async function tailmix(
  args: readonly string[],
  watch: (message: ProgressMessage, kill: () => void) => void = () => {},
) {
  const child = fork(launcher, args, {
    env: { ...process.env, [PROGRESS_VARIABLE]: 'ipc' },
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let errors = '';
  child.stderr!.on('data', (chunk) => {
    errors += chunk;
  });
  child.on('message', (message) => watch(message as ProgressMessage, () => child.kill('SIGKILL')));
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return { code, signal, errors };
}

/** Everything of a run that must not depend on the clock. */
async function figures(directory: string): Promise<Partial<EpochMetrics>[]> {
  const lines = (await readFile(join(directory, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
  return lines.map((line) => {
    const { seconds, waitSeconds, imagesPerSecond, ...rest } = JSON.parse(line) as EpochMetrics;
    return rest;
  });
}

/** The summary of the run that was killed and resumed. */
async function expectSameAsWhole() {
  const folder = await temporaryFolder();
  const [whole, killed] = [join(folder, 'whole'), join(folder, 'killed')];
  const begin = ['train', 'configs/digits/remix-drw.yaml', ...settings, '--out'];
  expect(await tailmix([...begin, whole])).toMatchObject({ code: 0 });

  let killedAt: ProgressMessage | undefined;
  const first = await tailmix([...begin, killed], (message, kill) => {
    if (message.epoch !== 3 || message.step >= message.steps) return;
    killedAt = message;
    kill();
  });
  expect(first.signal).toBe('SIGKILL');
  expect(killedAt).toMatchObject({ epoch: 3 });
  expect((await figures(killed)).map(({ epoch }) => epoch)).toEqual([1, 2]);

  expect(await tailmix(['train', '--resume', killed])).toMatchObject({ code: 0 });
  expect(await figures(killed)).toEqual(await figures(whole));
  const summary = async (directory: string) => JSON.parse(await readFile(join(directory, 'summary.json'), 'utf8'));
  const ended = await summary(killed);
  expect(ended.last).toEqual((await summary(whole)).last);
  const logits = (directory: string) => readFile(join(directory, 'logits-test.safetensors'));
  expect((await logits(killed)).equals(await logits(whole))).toBe(true);
  return ended;
}

test('a run killed by SIGKILL in mid-epoch and resumed ends as one that never stopped', async () => {
  await expectSameAsWhole();
}, 180_000);

describeDevice('on a device', () => {
  test('a run killed and resumed ends as one that never stopped', { timeout: 300_000 }, async () => {
    vi.stubEnv('TAILMIX_PJRT', plugin);
    expect((await expectSameAsWhole()).device).toBeTruthy();
  });
});
