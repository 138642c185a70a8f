import { describe, expect, test } from 'vitest';
import classMeanHead from '../../plugins/class-mean-head/index.ts';
import etfHead, { simplexFrame } from '../../plugins/etf-head/index.ts';
import lws from '../../plugins/lws/index.ts';
import { compose } from '../../src/compose/compose.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { noise, readReference } from '../models/reference.ts';
import { describeNative } from '../step/captured-support.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { squares } from '../support/squares.ts';

const { frames } = readReference<{ frames: { size: number; classes: number; frame: number[] }[] }>(
  'simplex-frame.json',
);
const drawn = (size: number, classes: number) => Float64Array.from(noise(`frame${size}`, size * classes));

/** Cosine of two columns of `[D × K]`. */
const product = (frame: Float32Array, classes: number, a: number, b: number): number =>
  frame.reduce((sum, value, at) => (at % classes === a ? sum + value * frame[at - a + b]! : sum), 0);

describe('the frame', () => {
  test.each(frames)('is NumPy’s, $classes classes in $size dimensions', ({ size, classes, frame }) => {
    const found = simplexFrame(drawn(size, classes), classes);
    frame.forEach((value, i) => void expect(found[i]).toBeCloseTo(value, 6));
  });

  test('has vectors of length 1, the same angle between any two, and the sum 0', () => {
    const [size, classes] = [64, 20];
    const frame = simplexFrame(drawn(size, classes), classes);
    for (let a = 0; a < classes; a++) {
      for (let b = 0; b < classes; b++)
        expect(product(frame, classes, a, b)).toBeCloseTo(a === b ? 1 : -1 / (classes - 1), 6);
    }
    for (let row = 0; row < size; row++) {
      const sum = frame.subarray(row * classes, (row + 1) * classes).reduce((one, other) => one + other, 0);
      expect(sum).toBeCloseTo(0, 6);
    }
  });
});

const run = (changes: Partial<TrainerOptions> = {}, epochs = 2, step: 'eager' | 'captured' = 'captured') =>
  createTrainer({
    data: { ...squares(), augment: [] },
    model: { name: 'small-cnn', width: 2, head: 'cosine', scale: 10 },
    train: { epochs, batchSize: 16, step, optimizer: { name: 'sgd', learningRate: 0.05, weightDecay: 0.01 } },
    plugins: [etfHead()],
    ...changes,
  }).run();

describeNative('a run', () => {
  const KERNEL = 'classifier/kernel';

  test('never moves the classifier, captured as eager, and trains the rest', async () => {
    const [captured, eager, longer] = [await run(), await run({}, 2, 'eager'), await run({}, 3)];
    const [one, two, three] = [captured, eager, longer].map(({ snapshot }) => snapshot!.state);
    expect(two![KERNEL]).toEqual(one![KERNEL]);
    expect(three![KERNEL]).toEqual(one![KERNEL]);
    const kernel = Float32Array.from(one![KERNEL]!.values);
    expect(product(kernel, 4, 0, 1)).toBeCloseTo(-1 / 3, 5);
    const trained = Object.keys(one!).find((name) => name.endsWith('/kernel') && name !== KERNEL)!;
    expect(three![trained]).not.toEqual(one![trained]);
    one![trained]!.values.forEach((value, i) => void expect(two![trained]!.values[i]).toBeCloseTo(value, 4));
    expect(Object.keys(one!).filter((name) => name.endsWith(KERNEL))).toEqual([KERNEL]);
  });

  test('that is resumed ends as without a break; another seed has another frame', async () => {
    const whole = await run();
    const first = await run({}, 1);
    const resumed = await run({ resume: first.snapshot! });
    expect(resumed.snapshot!.state).toEqual(whole.snapshot!.state);
    const other = await run({ seed: 7 }, 1);
    expect(other.snapshot!.state[KERNEL]).not.toEqual(whole.snapshot!.state[KERNEL]);
  });

  test('a linear classifier, a second head and other first values are refused', async () => {
    expect(await messageOfError(() => run({ model: { name: 'small-cnn', width: 2 } }))).toContain('cosine');
    expect(await messageOfError(() => run({ plugins: [etfHead(), lws()] }))).toContain('head');
    for (const plugins of [
      [etfHead(), classMeanHead()],
      [classMeanHead(), etfHead()],
    ])
      expect(await messageOfError(() => run({ plugins }))).toContain('head');
  });
});

test('fewer features than classes are refused', async () => {
  const task = { classes: 5, imageShape: [8, 8, 3] } as const;
  const model = { name: 'narrow', stages: [], weights: [], featureSize: 4, forward: () => undefined as never };
  expect(await messageOfError(async () => etfHead.definition.extendModel!(model, {}, task, undefined))).toBe(
    '[etf-head] expected a model with at least as many features as classes, 5; got 4. Take a wider model.',
  );
  expect(compose([etfHead()], smallInfo()).provides.head).toBe('etf-head');
});
