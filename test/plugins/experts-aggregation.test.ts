import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { testTimeAggregation, warningsOf } from '../../plugins/experts/adapt.ts';
import { aggregate, mixedBy, type Round, stability } from '../../plugins/experts/aggregation.ts';
import { randomStream } from '../../src/random.ts';
import { noise } from '../models/reference.ts';
import { messageOfError } from '../support/message.ts';

interface Case {
  name: string;
  images: number;
  classes: number;
  batch: number;
  stride: number;
  experts: [sure: number, moved: number][];
  slopes: number[];
  shares: number[];
  epochs: number;
  stability: number;
}
const { cases }: { cases: Case[] } = JSON.parse(
  readFileSync(new URL('../reference/aggregation.json', import.meta.url), 'utf8'),
);

/** As aggregation.py has them. */
function viewsOf({ images, classes, experts }: Pick<Case, 'images' | 'classes' | 'experts'>, epoch: number) {
  const view = (number: number) =>
    experts.map(([sure, moved], k) => {
      const key = `aggregation${epoch}${number}${k}${images}`;
      const logits = noise(key, images * classes).map((value) => value * moved);
      for (let i = 0; i < images; i++) logits[i * classes + (i % classes)]! += sure;
      return logits;
    });
  return [view(1), view(2)] as const;
}

const roundsOf = (one: Case): Round[] =>
  Array.from({ length: 5 }, (_, epoch) => ({
    views: viewsOf(one, epoch),
    order: Int32Array.from({ length: one.images }, (_, i) => (one.stride * i + epoch) % one.images),
  }));

test.each(cases)('slopes, shares, epochs and stability are PyTorch’s: $name', async (one) => {
  const rounds = roundsOf(one);
  const [{ views, order }] = rounds as [Round];
  const K = one.experts.length;
  const first = stability(views, new Float64Array(K).fill(1 / K), order.subarray(0, one.batch), one.classes);
  for (const [k, slope] of one.slopes.entries()) expect(first.slopes[k]).toBeCloseTo(slope, 6);
  const { shares, epochs } = await aggregate(rounds, K, one.classes, one.batch);
  expect(epochs).toBe(one.epochs);
  for (const [k, share] of one.shares.entries()) expect(shares[k]).toBeCloseTo(share, 6);
  const last = rounds[epochs - 1]!;
  expect(stability(last.views, shares, last.order, one.classes).value).toBeCloseTo(one.stability, 6);
});

test('the cases include one that ends early, with a share that is small', () => {
  const ended = cases.filter(({ epochs }) => epochs < 5);
  expect(ended).toHaveLength(1);
  expect(Math.min(...ended[0]!.shares)).toBeLessThan(0.05);
});

test('logits are mixed by the shares', () => {
  const experts = [Float32Array.of(1, 2), Float32Array.of(10, 20), Float32Array.of(0, 4)];
  expect([...mixedBy(experts, Float64Array.of(0.5, 0.25, 0.25))]).toEqual([3, 7]);
});

describe('what a run is adapted by', () => {
  const [three, , , collapsed] = cases as [Case, Case, Case, Case];
  const adaptation = testTimeAggregation(3, three.classes);
  const extrasOf = (experts: readonly Float32Array[]) =>
    Object.fromEntries(experts.map((logits, k) => [`experts/${k + 1}`, logits]));
  const fit = async (one: Case, key: string) => {
    const views = async (round: number) => {
      const [first, second] = viewsOf(one, round);
      return [extrasOf(first), extrasOf(second)] as const;
    };
    return testTimeAggregation(one.experts.length, one.classes).fit(views, one.images, randomStream(key));
  };

  test('the logits of each expert, in an order of its own stream', async () => {
    expect(adaptation.extras).toEqual(['experts/1', 'experts/2', 'experts/3']);
    const [once, again, other] = [await fit(three, 'a'), await fit(three, 'a'), await fit(three, 'b')];
    expect(again.figures).toEqual(once.figures);
    expect(other.figures['share-3']).not.toBe(once.figures['share-3']);
    // Another order changes little.
    for (const [name, value] of Object.entries(once.figures)) expect(other.figures[name]).toBeCloseTo(value, 2);
    expect(Object.keys(once.figures)).toEqual(['share-1', 'share-2', 'share-3', 'stability', 'stability-before']);
    expect(once.figures.stability).toBeGreaterThan(once.figures['stability-before']!);
    const rows = [Float32Array.of(1), Float32Array.of(0), Float32Array.of(0)];
    expect(once.logits(extrasOf(rows))[0]).toBeCloseTo(once.figures['share-1']!, 6);
  });

  test('few images are refused', async () => {
    const few = { ...three, images: 127 };
    expect(await messageOfError(() => fit(few, 'a'))).toBe(
      '[experts] --adapt: expected at least 128 images, one batch of the method; got 127. Evaluate them without --adapt.',
    );
    expect((await fit({ ...three, images: 128 }, 'a')).figures['share-3']).toBeGreaterThan(1 / 3);
  });

  test('what is known to go wrong is said', async () => {
    const about = { epochs: 5, images: 5000, classes: 100 };
    expect(warningsOf({ ...about, shares: Float64Array.of(0.3, 0.3, 0.4) })).toEqual([]);
    expect(warningsOf({ ...about, shares: Float64Array.of(0.9, 0.06, 0.04), epochs: 2 })).toEqual([
      expect.stringContaining('expert 3 was left a share of 0.040, which ended it after epoch 2 of 5.'),
    ]);
    expect((await fit({ ...collapsed, images: 1280 }, 'a')).warnings![0]).toContain('of 3 classes.');
    expect((await fit(three, 'a')).warnings).toEqual([
      expect.stringContaining('of 700 images, in 5 epochs of 6 steps'),
    ]);
  });
});
