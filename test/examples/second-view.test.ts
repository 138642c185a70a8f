import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import secondView, { aligned } from '../../examples/second-view.ts';
import checkpoint from '../../plugins/checkpoint/index.ts';
import ema from '../../plugins/ema/index.ts';
import { registry } from '../../plugins/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { loadConfig } from '../../src/config/load.ts';
import { tf } from '../../src/tf.ts';
import { checkpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { smallRun } from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary.ts';

beforeAll(async () => void (await loadBackend()));

const MEAN = 'second-view/mean';
const train = (step: 'eager' | 'captured', changes: Parameters<typeof smallRun>[0] = {}) =>
  smallRun({
    train: { epochs: 3, batchSize: 8, step, optimizer: { name: 'sgd', learningRate: 0.02 } },
    plugins: [secondView()],
    ...changes,
  });

test('alignment, by hand', () => {
  // 0.8 / 0.5 and 0.2 / 0.25 are 1.6 and 0.8.
  const [first, second] = aligned(tf.tensor2d([[0.8, 0.2]]), tf.tensor1d([0.5, 0.25])).dataSync();
  expect(first).toBeCloseTo(2 / 3, 6);
  expect(second).toBeCloseTo(1 / 3, 6);
});

describeNative('in a run', () => {
  test('captured as eager: loss, term, figures and state', async () => {
    const [eager, captured] = [await train('eager'), await train('captured')];
    expect(captured.mode).toBe('captured');
    const numbers = ({ epochs, state }: typeof eager) => [
      ...epochs.flatMap((epoch) => [
        epoch.train.loss,
        epoch.train.figures!['second-view']!,
        epoch.train.figures!['second-view/same']!,
        epoch.test!.figures!.rarest!,
      ]),
      ...state[MEAN]!,
    ];
    const found = numbers(captured);
    for (const [i, value] of numbers(eager).entries()) expect(found[i]).toBeCloseTo(value, 5);
    expect(captured.state[MEAN]!.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(captured.state[MEAN]).not.toContain(0.25);
  });

  test('resumes to the bit', async () => {
    const directory = await temporaryFolder();
    const whole = await train('captured', { directory, plugins: [secondView(), checkpoint({ every: 1, keep: 9 })] });
    const rest = await train('captured', { resume: await readCheckpoint(checkpointPath(directory, 1)) });
    expect(rest.state).toEqual(whole.state);
  });

  test('beside a mixer and an average, which has no state of it', async () => {
    const { state } = await train('captured', { plugins: [secondView(), mixup(), ema()] });
    expect(Object.keys(state).filter((name) => name.includes('second-view'))).toEqual([MEAN]);
  });
});

test('in replicas each would have a state of its own, which is refused', async () => {
  const replicas = { epochs: 1, batchSize: 8, replicas: 2, dropLast: true, step: 'eager' as const };
  expect(await messageOfError(() => smallRun({ train: replicas, plugins: [secondView()] }))).toContain(
    'statistics["second-view/mean"]: expected state that the forward pass leaves alone',
  );
});

test('from YAML', async () => {
  const path = fileURLToPath(new URL('../../examples/second-view.yaml', import.meta.url));
  const { plugins } = await loadConfig(path, { registry, defaults: [] });
  expect(plugins.map(({ definition, options }) => [definition.name, options])).toEqual([
    ['second-view', { weight: 0.5, decay: 0.95 }],
  ]);
});
