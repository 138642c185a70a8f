import { expect, test } from 'vitest';
import { yieldToEventLoop } from '../../src/util/event-loop.ts';
import { fileSize } from '../../src/util/file-size.ts';
import { mapValues } from '../../src/util/map-values.ts';
import { sizeOf } from '../../src/util/shape.ts';

test('sizeOf: a product, 1 for a scalar, 0 where a dimension is', () => {
  expect([[], [7], [2, 3, 4], [5, 0]].map(sizeOf)).toEqual([1, 7, 24, 0]);
});

test('fileSize: two digits at least, in units of 1,000', () => {
  expect([0, 812, 999, 1000, 4930, 9949, 9950, 999_499, 999_500, 43e6, 1.23e9, 5e15].map(fileSize)).toEqual([
    '0 B',
    '812 B',
    '999 B',
    '1.0 kB',
    '4.9 kB',
    '9.9 kB',
    '10 kB',
    '999 kB',
    '1.0 MB',
    '43 MB',
    '1.2 GB',
    '5000 TB',
  ]);
});

test('mapValues keeps keys and their order', () => {
  expect(Object.entries(mapValues({ b: 1, a: 2 }, (value, key) => `${key}${value}`))).toEqual([
    ['b', 'b1'],
    ['a', 'a2'],
  ]);
});

test('yieldToEventLoop: between pieces of work, timers that are due run', async () => {
  const order: string[] = [];
  setTimeout(() => order.push('timer'), 1);
  const end = performance.now() + 5;
  while (performance.now() < end);
  // The turn in which the test runs may be past its timers already.
  await yieldToEventLoop();
  await yieldToEventLoop();
  order.push('work');
  expect(order).toEqual(['timer', 'work']);
});
