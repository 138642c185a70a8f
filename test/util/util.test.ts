import { expect, test } from 'vitest';
import { yieldToEventLoop } from '../../src/util/event-loop.ts';
import { mapValues } from '../../src/util/map-values.ts';
import { sizeOf } from '../../src/util/shape.ts';

test('sizeOf: a product, 1 for a scalar, 0 where a dimension is', () => {
  expect([[], [7], [2, 3, 4], [5, 0]].map(sizeOf)).toEqual([1, 7, 24, 0]);
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
