import { describe, expect, test } from 'vitest';
import { createBatch } from '../../src/step/batch.ts';
import type { BatchResult } from '../../src/step/types.ts';
import { createMeter, planEpoch } from '../../src/train/epoch.ts';
import { squares } from '../support/squares.ts';

const subset = squares([10, 6, 4, 2]).train;
const alike = () => new Float64Array(4).fill(1);

const plan = (changes: Partial<Parameters<typeof planEpoch>[0]> = {}) =>
  planEpoch({ subset, seed: 0, epoch: 1, batchSize: 8, dropLast: false, samplingWeights: null, draws: {}, ...changes });

/** What a plugin draws in each step of an epoch of 8, 8 and 6 rows. */
const drawnBy = (plugin: string, plugins: readonly string[], changes: Parameters<typeof plan>[0] = {}) =>
  plan({ draws: Object.fromEntries(plugins.map((name) => [name, alike])), ...changes }).map(
    ({ indices, positions, draws }) => {
      const { start, size } = draws[plugin]!;
      return { rows: [...indices.slice(start, start + size)], positions: [...positions.slice(start, start + size)] };
    },
  );

const rowsDrawnBy = (...call: Parameters<typeof drawnBy>) => drawnBy(...call).map(({ rows }) => rows);

describe('the sampler', () => {
  test('a permutation of another order in each epoch and for each seed; positions count through the epoch', () => {
    const rows = (changes = {}) => plan(changes).flatMap(({ indices }) => [...indices]);
    expect([...rows()].sort((a, b) => a - b)).toEqual([...subset.indices]);
    expect(rows({ epoch: 2 })).not.toEqual(rows());
    expect(rows({ seed: 1 })).not.toEqual(rows());
    expect(plan().map(({ size, positions }) => [size, positions[0], positions.at(-1)])).toEqual([
      [8, 0, 7],
      [8, 8, 15],
      [6, 16, 21],
    ]);
    expect(plan({ dropLast: true }).map(({ size }) => size)).toEqual([8, 8]);
  });

  test('weights are those of classes, looked up by the label of each row', () => {
    const labels = plan({ samplingWeights: Float64Array.of(0, 0, 0, 1) }).flatMap(({ indices }) =>
      Array.from(indices, (row) => subset.split.labels[row]),
    );
    expect(labels).toEqual(Array(22).fill(3));
  });
});

describe('extra draws', () => {
  test('each step takes the next rows of a draw: together they are those of one step as large as the epoch', () => {
    const [whole] = plan({ batchSize: 22, draws: { one: alike } });
    const steps = rowsDrawnBy('one', ['one']);
    expect(steps.map(({ length }) => length)).toEqual([8, 8, 6]);
    expect(steps.flat()).toEqual([...whole!.indices.subarray(22)]);
    expect(steps[1]).not.toEqual(steps[0]);
  });

  test('each plugin has a stream of its own, the same whichever others are there, and another in each epoch', () => {
    expect(rowsDrawnBy('one', ['one', 'two'])).not.toEqual(rowsDrawnBy('two', ['one', 'two']));
    expect(drawnBy('two', ['one', 'two'])).toEqual(drawnBy('two', ['two']));
    expect(rowsDrawnBy('one', ['one'], { epoch: 2 })).not.toEqual(rowsDrawnBy('one', ['one']));
    expect(rowsDrawnBy('one', ['one'], { seed: 1 })).not.toEqual(rowsDrawnBy('one', ['one']));
  });

  test('positions differ from the sampler’s and from another plugin’s, and count through the epoch', () => {
    const positions = (plugin: string) => drawnBy(plugin, ['one', 'two']).flatMap((step) => step.positions);
    for (const drawn of [positions('one'), positions('two')]) {
      expect(drawn[0]).toBeGreaterThanOrEqual(2 ** 24);
      expect(drawn).toEqual(drawn.map((_, i) => drawn[0]! + i));
    }
    expect(Math.abs(positions('one')[0]! - positions('two')[0]!)).toBeGreaterThanOrEqual(2 ** 24);
  });

  test('stand behind the trained rows in the order of the plugins, drawn by the weights of the epoch', () => {
    const asked: number[] = [];
    const only = (label: number) => (epoch: number) => {
      asked.push(epoch);
      return Float64Array.from({ length: 4 }, (_, c) => (c === label ? 1 : 0));
    };
    const steps = plan({ epoch: 5, draws: { last: only(3), second: only(1) } });
    expect(asked).toEqual([5, 5]);
    steps.forEach(({ size, indices, draws }, step) => {
      expect([...indices.subarray(0, size)]).toEqual([...plan({ epoch: 5 })[step]!.indices]);
      expect(draws).toEqual({ last: { start: size, size }, second: { start: 2 * size, size } });
      const labels = Array.from(indices.subarray(size), (row) => subset.split.labels[row]);
      expect(labels).toEqual([...Array(size).fill(3), ...Array(size).fill(1)]);
    });
  });
});

describe('the meter', () => {
  /** A step whose loss and penalty are given, in which sample i is of class 0, mixed with class 1 by `lambda[i]`. */
  const step = (lambda: number[], predictions: number[], changes: Partial<BatchResult> = {}): BatchResult => {
    const size = lambda.length;
    const indices = new Int32Array(size);
    return {
      epoch: 1,
      step: 1,
      stepInEpoch: 1,
      batch: {
        ...createBatch({ size, indices, labels: indices, draws: {} }, {}),
        lambda: Float32Array.from(lambda),
      },
      targets: {
        labels: new Int32Array(size),
        pairLabels: new Int32Array(size).fill(1),
        labelWeight: Float32Array.from(lambda),
      },
      learningRate: 0.5,
      loss: 1,
      penalties: {},
      figures: {},
      outputs: {},
      predictions: Int32Array.from(predictions),
      ...changes,
    };
  };

  test('weights steps by their samples; the rate is that of the last step', () => {
    const meter = createMeter();
    meter.add(step([1, 1, 1], [0, 0, 2], { loss: 2, penalties: { decay: 4 }, learningRate: 0.1 }));
    meter.add(step([1], [0], { loss: 6, penalties: { decay: 8, other: 2 }, learningRate: 0.2 }));
    expect(meter.result(true, 2)).toEqual({
      learningRate: 0.2,
      train: { loss: 3, accuracy: 0.75, relabelledShare: 0, penalties: { decay: 5, other: 0.5 } },
      imagesPerSecond: 2,
    });
  });

  test('a prediction of either label of a mixed pair counts by its weight', () => {
    const meter = createMeter();
    meter.add(step([0.75, 0.75, 0.75, 1], [0, 1, 2, 1]));
    expect(meter.result(true, 1).train.accuracy).toBeCloseTo((0.75 + 0.25) / 4, 12);
  });

  test('relabelled is what has another weight in the label than in the image; nothing is where nothing mixes', () => {
    const meter = createMeter();
    const mixed = step([0.75, 0.5, 1, 1], [0, 0, 0, 0]);
    mixed.targets.labelWeight[0] = 0;
    meter.add(mixed);
    expect(meter.result(true, 1).train.relabelledShare).toBe(0.25);
    expect(meter.result(false, 1).train.relabelledShare).toBeNull();
  });
});
