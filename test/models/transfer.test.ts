import { describe, expect, test } from 'vitest';
import { createModel, modelOptions } from '../../src/models/index.ts';
import { frozenWeights, selectWeights, startValues } from '../../src/models/transfer.ts';
import type { RunStart, Snapshot } from '../../src/run.ts';
import type { TrainOptions } from '../../src/train/options.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { sizeOf } from '../../src/util/shape.ts';
import { describeNative } from '../step/captured-support.ts';
import { messageOfError } from '../support/message.ts';
import { squares } from '../support/squares.ts';

const options = { name: 'small-cnn', width: 2 } as const;
const made = createModel(modelOptions.parse(options), { classes: 4, imageShape: [8, 8, 3] });
const models = { base: made, model: made };

const snapshotOf = (names = made.weights.map(({ name }) => name)): Pick<Snapshot, 'state' | 'weights'> => ({
  state: Object.fromEntries(
    made.weights.map(({ name, shape }, i) => [name, { shape, values: new Float32Array(sizeOf(shape)).fill(i) }]),
  ),
  weights: names,
});
const from = (reset: readonly string[] = [], snapshot = snapshotOf()) =>
  startValues(models, snapshot, { source: 'runs/first', reset, seed: 1 });

describe('weights by name', () => {
  test('are chosen by how names begin, part by part', () => {
    expect([...selectWeights(models, ['classifier', 'stage1/conv1/norm'], 'model.freeze')]).toEqual([
      'classifier/kernel',
      'classifier/bias',
      'stage1/conv1/norm/scale',
      'stage1/conv1/norm/shift',
      'stage1/conv1/norm/mean',
      'stage1/conv1/norm/variance',
    ]);
    const backbone = selectWeights(models, ['backbone'], 'model.freeze');
    expect(made.weights.length - backbone.size).toBe(2);
    expect([...backbone].some((name) => name.startsWith('classifier'))).toBe(false);
  });

  test('that are none, and freezing all there is, are refused', async () => {
    expect(await messageOfError(() => selectWeights(models, ['stage'], 'model.reset'))).toMatchInlineSnapshot(
      `"model.reset: expected \`backbone\`, or how the names of weights begin; no name begins with "stage". Here: backbone, stage1, stage2, stage3, classifier."`,
    );
    const freeze = { freeze: ['backbone', 'classifier'], frozenNorm: 'batch' } as const;
    expect(await messageOfError(() => frozenWeights(models, freeze))).toMatchInlineSnapshot(
      `"model.freeze: expected weights left to train; backbone and classifier are all there are. Freeze less, or use \`tailmix evaluate\`, which trains nothing."`,
    );
  });
});

describe('values to start from', () => {
  test('are those of the snapshot; reset ones are drawn anew, the same for one seed', () => {
    expect(from()['stage2/conv1/kernel']).toEqual(snapshotOf().state['stage2/conv1/kernel']!.values);
    const { 'classifier/kernel': anew, ...others } = from(['classifier']);
    expect(others['stage1/conv1/kernel']).toEqual(from()['stage1/conv1/kernel']);
    expect(anew).toEqual(from(['classifier'])['classifier/kernel']);
    expect(new Set(anew).size).toBeGreaterThan(16);
  });

  test('of another model are refused, each difference named; a reset makes them no matter', async () => {
    const snapshot = snapshotOf();
    snapshot.state['classifier/bias'] = { shape: [7], values: new Float32Array(7) };
    snapshot.state['classifier/extra'] = { shape: [], values: new Float32Array(1) };
    const other = { ...snapshot, weights: [...snapshot.weights, 'classifier/extra'] };
    expect(await messageOfError(() => from([], other))).toMatchInlineSnapshot(`
      "model.init: runs/first: expected the weights of small-cnn as it is here.
        classifier/bias: expected shape [4], got shape [7]
        classifier/extra: expected none, got shape []
        Set model and plugins as that run has them, or reinitialize what differs with model.reset."
    `);
    expect(from(['classifier'], other)['classifier/bias']).toHaveLength(4);
  });
});

/** Trains a phase of two epochs, and a second that starts from it. */
async function phases(step: TrainOptions['step'], start: Partial<RunStart>, more: Partial<TrainerOptions> = {}) {
  const data = squares();
  const run = (others: Partial<TrainerOptions>) =>
    createTrainer({ data, model: options, train: { epochs: 2, batchSize: 16, step }, ...others }).run();
  const first = (await run({})).snapshot!;
  const { snapshot, summary } = await run({ start: { ...start, init: first }, ...more });
  return { first, second: snapshot!, mode: summary.stepMode };
}

const changed = ({ first, second }: { first: Snapshot; second: Snapshot }): string[] =>
  first.weights.filter((name) => {
    const after = second.state[name]!.values;
    return first.state[name]!.values.some((value, i) => !Object.is(value, after[i]));
  });

const STATISTICS = ['stage1', 'stage2'].flatMap((stage) =>
  ['mean', 'variance'].map((statistic) => `${stage}/conv1/norm/${statistic}`),
);
const HEAD = ['classifier/kernel', 'classifier/bias'];

for (const step of ['eager', 'captured'] as const) {
  describeNative(`a second phase, ${step}`, () => {
    test('trains all weights unless they are frozen', async () => {
      const result = await phases(step, {});
      expect(result.mode).toBe(step);
      expect(changed(result)).toEqual(result.first.weights);
      expect(Object.keys(result.second.state)).toContain('momentum/stage1/conv1/kernel');
    });

    test('leaves frozen weights to the bit; batch norms go on averaging, or stay', async () => {
      const head = { freeze: ['backbone'], reset: ['classifier'] };
      const batch = await phases(step, { ...head, frozenNorm: 'batch' });
      expect(changed(batch).sort()).toEqual([...STATISTICS, ...HEAD].sort());
      const running = await phases(step, { ...head, frozenNorm: 'running' });
      expect(changed(running).sort()).toEqual([...HEAD].sort());
      expect(Object.keys(running.second.state)).not.toContain('momentum/stage1/conv1/kernel');
      expect(running.second.state['classifier/kernel']).not.toEqual(batch.second.state['classifier/kernel']);
    });

    test('resumes to the same end', async () => {
      const start = { freeze: ['backbone'], reset: ['classifier'], frozenNorm: 'running' } as const;
      const epochs = (count: number) => ({ train: { epochs: count, batchSize: 16, step } });
      const { second: whole } = await phases(step, start, epochs(4));
      const { second: half } = await phases(step, start, epochs(2));
      const { second: resumed } = await phases(step, start, { ...epochs(4), resume: half });
      expect(resumed.state).toEqual(whole.state);
    });
  });
}
