import { longTailCounts } from '../data/profile.ts';
import { subsetOf } from '../data/subset.ts';
import type { LoadedData, Split } from '../data/types.ts';
import { randomStream } from '../random.ts';

/** Random pixels on an exponential tail of ratio 100: the right shapes and class counts, and nothing to learn. */
export function noiseData(count: number, classCount: number, shape: readonly [number, number, number]): LoadedData {
  const classes = Array.from({ length: classCount }, (_, c) => `class ${c}`);
  const random = randomStream('noise');
  const bytes = new SharedArrayBuffer(count * shape[0] * shape[1] * shape[2]);
  const words = new Int32Array(bytes, 0, Math.floor(bytes.byteLength / 4));
  for (let i = 0; i < words.length; i++) words[i] = random.integer(2 ** 31);
  const tail = longTailCounts(count, classCount, { profile: 'exp', ratio: 100, mu: 0.5 });
  const pool = tail.flatMap((n, label) => new Array<number>(n).fill(label));
  const labels = Int32Array.from({ length: count }, (_, i) =>
    i < classCount ? i : pool[random.integer(pool.length)]!,
  );
  const split = (name: Split['name']): Split => ({ name, labels, pixels: { kind: 'memory', bytes } });
  const rows = Int32Array.from(labels.keys());
  const channels = shape[2];
  return {
    info: {
      name: 'noise',
      classes,
      shape,
      mean: new Array<number>(channels).fill(0.5),
      std: new Array<number>(channels).fill(0.25),
    },
    train: subsetOf(split('train'), rows, classCount),
    validation: null,
    test: subsetOf(split('test'), rows, classCount),
    augment: [],
    skipped: [],
  };
}
