import { expect, test } from 'vitest';
import checkpoint from '../../plugins/checkpoint/index.ts';
import ema from '../../plugins/ema/index.ts';
import gradAccumulation from '../../plugins/grad-accumulation/index.ts';
import labelSmoothing from '../../plugins/label-smoothing/index.ts';
import ldam from '../../plugins/ldam/index.ts';
import mixup from '../../plugins/mixup/index.ts';
import paco from '../../plugins/paco/index.ts';
import remix from '../../plugins/remix/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { checkpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { describeNative, relativeDistance } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { smallRun } from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { describeTwoStage } from '../support/two-stage.ts';

describeTwoStage('paco');

const info = infoWithCounts([300, 100, 20]);
const small = { queue: 12, hidden: 8, dimension: 4, momentum: 0.9 } as const;
const train = (
  plugins: Parameters<typeof smallRun>[0]['plugins'] & object,
  changes: Parameters<typeof smallRun>[0] = {},
) =>
  smallRun({
    model: { name: 'small-cnn' },
    train: { epochs: 3, batchSize: 8, step: 'eager', optimizer: { name: 'sgd', learningRate: 0.05 } },
    ...changes,
    plugins,
  });

test('what is refused and warned of', async () => {
  expect(await messageOfError(() => compose([paco(), ldam()], info))).toContain('loss');
  expect(warningsOf([paco({ alpha: 0 })], info)[0]).toContain('NO_EFFECT [paco] alpha is 0');
  expect(warningsOf([paco(), labelSmoothing()], info)[0]).toContain('one softmax over centres and images');
  const replicas = () => train([paco(small)], { train: { epochs: 1, batchSize: 8, replicas: 2, dropLast: true } });
  expect(await messageOfError(replicas)).toContain('paco/queue');
});

test('the queue has the newest views first, of the classes that were trained, and forgets the oldest', async () => {
  const { results, state } = await train([paco(small)]);
  const last = results.slice(-2).map(({ batch }) => [...batch.labels.slice(0, batch.size)]);
  expect(state['paco/queue-labels']).toEqual([...last[1]!, ...last[0]!].slice(0, 12));
  const rows = Array.from({ length: 12 }, (_, i) => state['paco/queue']!.slice(4 * i, 4 * i + 4));
  for (const row of rows) expect(Math.hypot(...row)).toBeCloseTo(1, 5);
});

test('the momentum encoder begins as the network and follows it; GPaCo has none', async () => {
  const { state } = await train([paco({ ...small, momentum: 0 })]);
  expect(state['paco/key/classifier/kernel']).toEqual(state['classifier/kernel']);
  expect(state['paco/key/paco/head/hidden']).toEqual(state['paco/head/hidden']);
  const slow = await train([paco(small)]);
  expect(slow.state['paco/key/classifier/kernel']).not.toEqual(slow.state['classifier/kernel']);
  const general = await train([paco({ ...small, form: 'gpaco' })]);
  expect(Object.keys(general.state).filter((name) => name.startsWith('paco/key'))).toEqual([]);
});

test.each(['paco', 'gpaco'] as const)(
  '%s: a resumed run is the same to the bit, and ema averages no state',
  async (form) => {
    const directory = await temporaryFolder();
    const plugins = () => [paco({ ...small, form }), ema({ decay: 0.5 })];
    const whole = await train([...plugins(), checkpoint({ every: 1, keep: 9 })], { directory });
    expect(Object.keys(whole.state).filter((name) => /^ema\/paco\/(queue|key)/.test(name))).toEqual([]);
    const resume = await readCheckpoint(checkpointPath(directory, 2));
    expect((await train(plugins(), { resume })).state).toEqual(whole.state);
  },
);

describeNative('in a run', () => {
  test.each([
    ['PaCo with mixing and a label rule', () => [mixup(), remix(), paco(small)]],
    [
      'GPaCo, gradients of two steps',
      () => [paco({ ...small, form: 'gpaco', smooth: 0.1 }), gradAccumulation({ steps: 2 })],
    ],
  ])('captured is eager: %s', async (_, plugins) => {
    const run = (step: 'eager' | 'captured') =>
      train(plugins(), { train: { epochs: 2, batchSize: 8, step, optimizer: { name: 'sgd', learningRate: 0.05 } } });
    const [eager, captured] = [await run('eager'), await run('captured')];
    expect([eager.mode, captured.mode]).toEqual(['eager', 'captured']);
    expect(relativeDistance({ losses: captured.losses }, { losses: eager.losses })).toBeLessThan(1e-5);
  });
});
