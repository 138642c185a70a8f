import { describe, expect, test } from 'vitest';
import { createBatch } from '../../src/step/batch.ts';
import type { BatchResult } from '../../src/step/types.ts';
import { createMeter, planEpoch } from '../../src/train/epoch.ts';
import { squares } from '../support/squares.ts';

const subset = squares([10, 6, 4, 2]).train;
const alike = () => new Float64Array(4).fill(1);

const plan = (changes: Partial<Parameters<typeof planEpoch>[0]> = {}) =>
  planEpoch({
    subset,
    seed: 0,
    epoch: 1,
    batchSize: 8,
    dropLast: false,
    samplingWeights: null,
    groups: {},
    ...changes,
  });

type Groups = Parameters<typeof planEpoch>[0]['groups'];
const draw = (weights: (epoch: number) => Float64Array = alike): Groups[string] => ({
  view: false,
  from: 'train',
  augment: null,
  weights,
});
const drawsOf = (names: readonly string[]): Groups => Object.fromEntries(names.map((name) => [name, draw()]));

/** Rows of a group in each step of an epoch of 8, 8 and 6 rows. */
const rowsDrawnBy = (name: string, names: readonly string[], changes: Parameters<typeof plan>[0] = {}) =>
  plan({ groups: drawsOf(names), ...changes }).map(({ indices, groups }) => {
    const { start, size } = groups[name]!;
    return [...indices.slice(start, start + size)];
  });

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

describe('groups', () => {
  test('each step takes the next rows of a draw: together they are those of one step as large as the epoch', () => {
    const [whole] = plan({ batchSize: 22, groups: drawsOf(['one/a']) });
    const steps = rowsDrawnBy('one/a', ['one/a']);
    expect(steps.map(({ length }) => length)).toEqual([8, 8, 6]);
    expect(steps.flat()).toEqual([...whole!.indices.subarray(22)]);
    expect(steps[1]).not.toEqual(steps[0]);
  });

  test('each has a stream of its own, the same whichever others are there, and another in each epoch', () => {
    const [one, two] = ['one/a', 'one/b'];
    expect(rowsDrawnBy(one, [one, two])).not.toEqual(rowsDrawnBy(two, [one, two]));
    expect(rowsDrawnBy(two, [one, two])).toEqual(rowsDrawnBy(two, [two]));
    expect(rowsDrawnBy(one, [one], { epoch: 2 })).not.toEqual(rowsDrawnBy(one, [one]));
    expect(rowsDrawnBy(one, [one], { seed: 1 })).not.toEqual(rowsDrawnBy(one, [one]));
  });

  test('a view has the trained rows, at their positions, whatever the sampler drew', () => {
    const samplingWeights = Float64Array.of(0, 1, 0, 5);
    for (const { size, indices, positions, labels } of plan({
      samplingWeights,
      groups: { 'a/v': { view: true, augment: null } },
    })) {
      for (const rows of [indices, positions, labels]) expect([...rows.slice(size)]).toEqual([...rows.slice(0, size)]);
    }
  });

  test('a view of a draw has its rows, at its positions', () => {
    for (const { size, indices, positions, labels } of plan({
      groups: { 'a/v': { view: true, of: 'a/w', augment: null }, ...drawsOf(['a/w']) },
    })) {
      for (const rows of [indices, positions, labels])
        expect([...rows.slice(size, 2 * size)]).toEqual([...rows.slice(2 * size)]);
      expect(indices.slice(size, 2 * size)).not.toEqual(indices.slice(0, size));
    }
  });

  test('weights may be one an image, which is told with its row and class', () => {
    const seen: unknown[] = [];
    const group: Groups[string] = {
      ...(draw() as Extract<Groups[string], { view: false }>),
      weights(epoch, { indices, labels }) {
        seen.push([epoch, [...indices], [...labels]]);
        return Float64Array.from(indices, (_, i) => (i === 7 ? 2 : 0));
      },
    };
    const steps = plan({ epoch: 9, phaseEpoch: 2, groups: { 'hard/one': group } });
    expect(seen).toEqual([[2, [...subset.indices], Array.from(subset.indices, (row) => subset.split.labels[row])]]);
    for (const { size, indices } of steps)
      expect([...indices.slice(size)]).toEqual(Array(size).fill(subset.indices[7]));
  });

  test('validation images are drawn as many as are trained', () => {
    const validation = {
      ...subset,
      indices: subset.indices.slice(3, 5),
      split: { ...subset.split, labels: subset.split.labels.map(() => 2) },
    };
    const group: Groups[string] = {
      view: false,
      from: 'validation',
      augment: [],
      weights: () => Float64Array.of(0, 0, 1, 0),
    };
    const steps = plan({ validation, groups: { 'meta/set': group } });
    for (const { size, indices, labels } of steps) {
      expect([...labels.slice(size)]).toEqual(Array(size).fill(2));
      expect(indices.slice(size).every((row) => validation.indices.includes(row))).toBe(true);
    }
  });

  test('stand behind the trained rows in the order of the plugins, drawn by the weights of the epoch', () => {
    const asked: number[] = [];
    const only = (label: number) => (epoch: number) => {
      asked.push(epoch);
      return Float64Array.from({ length: 4 }, (_, c) => (c === label ? 1 : 0));
    };
    const steps = plan({ epoch: 5, groups: { 'last/x': draw(only(3)), 'second/x': draw(only(1)) } });
    expect(asked).toEqual([5, 5]);
    steps.forEach(({ size, indices, labels, groups }, step) => {
      expect([...indices.subarray(0, size)]).toEqual([...plan({ epoch: 5 })[step]!.indices]);
      expect(groups).toEqual({ 'last/x': { start: size, size }, 'second/x': { start: 2 * size, size } });
      expect([...labels.subarray(size)]).toEqual([...Array(size).fill(3), ...Array(size).fill(1)]);
    });
  });

  test('a strength of each class goes with its rows, those of groups too', () => {
    const strength = Float32Array.of(0, 0.25, 0.5, 1);
    for (const { labels, strengths } of plan({ strength, groups: { 'a/v': { view: true, augment: null } } }))
      expect([...strengths!]).toEqual(Array.from(labels, (label) => strength[label]));
    expect(plan()[0]).not.toHaveProperty('strengths');
    expect(plan()[0]).not.toHaveProperty('sources');
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
        ...createBatch({ size, indices, labels: indices, groups: {} }, {}),
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
