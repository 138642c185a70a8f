import { expect, test } from 'vitest';
import { expectAlike, expectSameState, gather, gatherTexts, shareSnapshot } from '../../src/cluster/exchange.ts';
import type { Snapshot } from '../../src/run.ts';
import { feedsOf } from '../../src/step/all-reduce.ts';

const addresses = ['a:1', 'b:1', 'c:1'];

/**
 * Runs the code of all ranks in one process: each is run again from its beginning whenever one more sum is known, until
 * none lacks any.
 */
function together<T>(code: (link: Parameters<typeof expectAlike>[0]) => T): (T | Error)[] {
  const sums: Int32Array[] = [];
  const MORE = new Error('more');
  while (true) {
    const given: Int32Array[] = [];
    const results = addresses.map((_, rank) => {
      let at = 0;
      const sum = (values: Int32Array): Int32Array => {
        const known = sums[at++];
        if (known !== undefined) return known.slice();
        given.push(values);
        throw MORE;
      };
      try {
        return code({ rank, processes: addresses.length, addresses, sum });
      } catch (error) {
        return error as Error;
      }
    });
    if (!results.includes(MORE as never)) return results;
    expect(new Set(given.map(({ length }) => length)).size).toBe(1);
    expect(given.length).toBe(addresses.length);
    sums.push(given[0]!.map((_, i) => given.reduce((total, values) => (total + values[i]!) | 0, 0)));
  }
}

test('numbers and texts of all, by rank', () => {
  const numbers = together((link) => gather(link, Int32Array.of(link.rank, -link.rank)).map((one) => [...one]));
  expect(numbers).toEqual(
    Array(3).fill(
      [
        [0, -0],
        [1, -1],
        [2, -2],
      ].map((pair) => pair.map((n) => n || 0)),
    ),
  );
  const texts = ['', 'é', 'a longer text'];
  expect(together((link) => gatherTexts(link, texts[link.rank]!))).toEqual([texts, texts, texts]);
});

test('facts that differ are named, in all processes alike', () => {
  expect(together((link) => expectAlike(link, { plan: 'p', version: '1' }))).toEqual([undefined, undefined, undefined]);
  const results = together((link) => expectAlike(link, { plan: 'p', version: link.rank === 2 ? '2' : '1' }));
  const messages = results.map((error) => (error as Error).message);
  expect(new Set(messages).size).toBe(1);
  expect(messages[0]).toMatchInlineSnapshot(`
    "cluster: expected the same version in all processes; rank 0 (a:1) has 1, rank 2 (c:1) has 2.
      Start all of them from the same installation, config and data."
  `);
});

test('states are compared to the bit; the first tensor that differs is named', () => {
  const state = (rank: number) => ({
    a: Float32Array.of(0, 1),
    b: Float32Array.of(rank === 1 ? -0 : 0, 2),
    c: Float32Array.of(rank),
  });
  expect(together((link) => expectSameState(link, { a: state(link.rank).a }, 3))).toEqual(Array(3).fill(undefined));
  const messages = together((link) => expectSameState(link, state(link.rank), 3)).map(
    (error) => (error as Error).message,
  );
  expect(new Set(messages).size).toBe(1);
  expect(messages[0]).toMatchInlineSnapshot(`
    "cluster, epoch 3: expected the same state in all processes; "b" of rank 1 (b:1) differs from that of rank 0 (a:1).
      A plugin decides by something else than (seed, epoch, step), or a machine computes wrongly. The last checkpoint is from before."
  `);
});

test('what rank 0 resumes from reaches all, bits and all', () => {
  const values = Float32Array.of(1.5, -0, 1e-42, Number.POSITIVE_INFINITY);
  const snapshot = { epoch: 2, plugins: { ema: [1] }, state: { w: { shape: [2, 2], values } } } as unknown as Snapshot;
  const results = together((link) => shareSnapshot(link, link.rank === 0 ? snapshot : null));
  for (const result of results) {
    expect(result).toEqual(snapshot);
    expect(Object.is((result as Snapshot).state.w!.values[1], -0)).toBe(true);
  }
  expect(together((link) => shareSnapshot(link, null))).toEqual([null, null, null]);
});

test('a process is fed its rows of the batch, and of each draw', () => {
  const specs = {
    labels: { shape: ['batch'], dtype: 'int32' },
    matrix: { shape: ['batch', 'pool'], dtype: 'float32' },
    rate: { shape: [], dtype: 'float32' },
  } as const;
  const feeds = {
    images: Uint8Array.of(9),
    labels: Int32Array.of(0, 1, 2, 3),
    matrix: Float32Array.from({ length: 32 }, (_, i) => i),
    rate: Float32Array.of(0.5),
  };
  const own = feedsOf(feeds, specs, { size: 4, pool: 8 }, { rank: 1, processes: 2 });
  expect(own.labels).toEqual(Int32Array.of(2, 3));
  // Rows 2 and 3; columns 2 and 3 of the batch, 6 and 7 of the draw.
  expect(own.matrix).toEqual(Float32Array.of(18, 19, 22, 23, 26, 27, 30, 31));
  expect([own.images, own.rate]).toEqual([feeds.images, feeds.rate]);
});
