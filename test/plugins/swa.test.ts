import { beforeAll, expect, test } from 'vitest';
import checkpoint from '../../plugins/checkpoint/index.ts';
import gradAccumulation from '../../plugins/grad-accumulation/index.ts';
import swa, { keptShare } from '../../plugins/swa/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { checkpointPath, readCheckpoint } from '../../src/tracking/checkpoint.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import reference from '../reference/optimisation.json' with { type: 'json' };
import { relativeDistance } from '../step/captured-support.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { smallRun } from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { describeCaptured, runEager, type State } from '../support/update-steps.ts';

beforeAll(async () => void (await loadBackend()));

const averagesIn = (state: State): State =>
  Object.fromEntries(
    Object.entries(state).flatMap(([name, values]) => (name.startsWith('swa/') ? [[name.slice(4), values]] : [])),
  );

const setup = { steps: 8, stepsPerEpoch: 2 };

describeBackends('steps as in PyTorch (test/reference/optimisation.py)', (use) => {
  beforeAll(use);

  test.each(reference.swa)('$options: weights untouched, their mean predicts', ({ options, ...expected }) => {
    const { state, logits } = runEager([swa(options)], setup);
    expect(relativeDistance(state, expected.state)).toBeLessThan(2e-6);
    expect(relativeDistance(averagesIn(state), expected.average)).toBeLessThan(2e-6);
    expect(relativeDistance({ logits }, { logits: expected.logits })).toBeLessThan(2e-6);
  });
});

describeCaptured({
  swa: () => [swa({ start: 0 })],
  'with accumulation': () => [swa({ start: 0 }), gradAccumulation()],
});

test('follows the weights until the end of the first epoch that is averaged, then stands between ends', () => {
  const of = (epoch: number, stepInEpoch: number, every = 2) =>
    keptShare({ epoch, stepInEpoch }, { start: 2, every, stepsPerEpoch: 3 });
  expect([of(1, 3), of(2, 3), of(3, 1), of(3, 3)]).toEqual([0, 0, 0, 0]);
  expect([of(4, 1), of(4, 3), of(5, 2), of(5, 3), of(7, 3)]).toEqual([1, 1, 1, 1 / 2, 2 / 3]);
  expect([of(3, 3, 1), of(4, 3, 1), of(5, 3, 1), of(6, 1, 1)]).toEqual([0, 1 / 2, 2 / 3, 1]);
});

test('a last step that is no update of grad-accumulation is averaged all the same', () => {
  const [first, second] = [
    runEager([swa({ start: 0 }), gradAccumulation({ steps: 3 })], setup),
    runEager([gradAccumulation({ steps: 3 }), swa({ start: 0 })], setup),
  ];
  expect(second.state).toEqual(first.state);
  const ends = [1, 3, 5, 7].map((step) => [...(first.states[step]!['classifier/bias'] as Float32Array)]);
  const mean = ends[0]!.map((_, i) => ends.reduce((sum, values) => sum + values[i]!, 0) / 4);
  expect(relativeDistance({ mean: first.state['swa/classifier/bias']! }, { mean })).toBeLessThan(1e-6);
});

test('a resumed run is the same to the bit', async () => {
  const directory = await temporaryFolder();
  const train = { epochs: 4, batchSize: 8, step: 'eager' } as const;
  const whole = await smallRun({ plugins: [swa({ start: 1 }), checkpoint({ every: 1, keep: 9 })], train, directory });
  const resume = await readCheckpoint(checkpointPath(directory, 3));
  expect((await smallRun({ plugins: [swa({ start: 1 })], train, resume })).state).toEqual(whole.state);
});

test('an average of one epoch is warned of', () => {
  const info = infoWithCounts([10, 6], { epochs: 8 });
  expect(warningsOf([swa()], info)).toEqual([]);
  expect(warningsOf([swa({ start: 7 })], info)).toEqual([
    'NO_EFFECT [swa] one epoch at most is averaged: start is 7, every 1, of 8 epochs.',
  ]);
});
