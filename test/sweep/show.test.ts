import { expect, test } from 'vitest';
import { sweepDisplay } from '../../src/sweep/show.ts';
import type { ProgressMessage } from '../../src/tracking/progress-message.ts';

test('lines have the first and the last epoch of a run, and one in two seconds between', () => {
  let written = '';
  let ms = 0;
  const stream = { isTTY: false, write: (text: string) => (written += text) } as unknown as NodeJS.WriteStream;
  const display = sweepDisplay(stream, 2, () => ms);
  const metrics = {} as NonNullable<ProgressMessage['metrics']>;
  const told = (label: string, epoch: number, more: Partial<ProgressMessage> = { metrics }): void =>
    display.progress(label, {
      ...{ type: 'progress', name: label, epochs: 500, step: 1, steps: 1, loss: 1, imagesPerSecond: 1 },
      epoch,
      ...more,
    });
  for (let epoch = 1; epoch <= 500; epoch++, ms += 10) told('a', epoch);
  told('b', 1, {});
  told('b', 2);
  const epochs = written
    .split('\n')
    .map((line) => /^\[0 of 2\] (\w): epoch (\d+) of 500, loss 1.000$/.exec(line)?.slice(1));
  expect(epochs).toEqual([['a', '1'], ['a', '201'], ['a', '401'], ['a', '500'], ['b', '2'], undefined]);
});
