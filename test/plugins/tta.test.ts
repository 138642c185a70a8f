import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import tta, { averaged, viewsOf } from '../../plugins/tta/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import type { RunInfo } from '../../src/run.ts';
import { tf } from '../../src/tf.ts';
import { noise } from '../models/reference.ts';
import { describeNative } from '../step/captured-support.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { warningsOf } from '../support/plugins.ts';
import { smallRun } from '../support/small-run.ts';

beforeAll(async () => void (await loadBackend()));

const image = () => tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
const rows = (x: tf.Tensor) => [...x.dataSync()];

test('views: as it is, moved into each corner, each mirrored', () => {
  const of = (options: Parameters<typeof viewsOf>[1]) => viewsOf(image(), options).map(rows);
  expect(of({ flip: true, crops: 'centre', padding: 1 })).toEqual([
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
    [3, 2, 1, 6, 5, 4, 9, 8, 7],
  ]);
  expect(of({ flip: false, crops: 'five', padding: 1 })).toEqual([
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
    [0, 0, 0, 0, 1, 2, 0, 4, 5],
    [0, 0, 0, 2, 3, 0, 5, 6, 0],
    [0, 4, 5, 0, 7, 8, 0, 0, 0],
    [5, 6, 0, 8, 9, 0, 0, 0, 0],
  ]);
  expect(of({ flip: true, crops: 'five', padding: 2 })).toHaveLength(10);
});

test('averages logits, or probabilities, of which it gives the logarithm', () => {
  const logits = [tf.tensor2d([[0, Math.log(3)]]), tf.tensor2d([[Math.log(9), 0]])];
  expect(rows(averaged(logits, 'logits'))).toEqual([Math.fround(Math.log(9)) / 2, Math.fround(Math.log(3)) / 2]);
  const probabilities = rows(averaged(logits, 'probabilities')).map(Math.exp);
  expect(probabilities[0]).toBeCloseTo((0.25 + 0.9) / 2, 6);
  expect(probabilities[1]).toBeCloseTo((0.75 + 0.1) / 2, 6);
});

interface Averaged {
  logits: number[];
  probabilities: number[];
}
const reference: Record<'images' | 'side' | 'channels' | 'classes' | 'padding', number> &
  Record<'flip' | 'five', Averaged> = JSON.parse(
  readFileSync(new URL('../reference/tta.json', import.meta.url), 'utf8'),
);

test.each([
  ['flip', 'centre'],
  ['five', 'five'],
] as const)('averages are torchvision’s: %s', (name, crops) => {
  const { images: n, side, channels, classes, padding } = reference;
  const size = side * side * channels;
  const images = tf.tensor4d(noise('tta-images', n * size), [n, side, side, channels]);
  const kernel = tf.tensor2d(noise('tta-kernel', size * classes), [size, classes]);
  const logits = viewsOf(images, { flip: true, crops, padding }).map((view) => view.reshape([n, size]).matMul(kernel));
  const expected = reference[name];
  for (const [i, value] of rows(averaged(logits, 'logits')).entries())
    expect(value).toBeCloseTo(expected.logits[i]!, 5);
  for (const [i, value] of rows(averaged(logits, 'probabilities')).entries())
    expect(Math.exp(value)).toBeCloseTo(expected.probabilities[i]!, 5);
});

describeNative('a run', () => {
  test.each(['logits', 'probabilities'] as const)(
    'predicts the mean of %s, captured as eager; training is unchanged',
    async (average) => {
      const run = (step: 'eager' | 'captured', plugins = [tta({ crops: 'five', padding: 1, average })]) =>
        smallRun({ plugins, train: { epochs: 2, batchSize: 8, step } });
      const [plain, eager, captured] = [await run('eager', []), await run('eager'), await run('captured')];
      expect(captured.mode).toBe('captured');
      expect(eager.losses).toEqual(plain.losses);
      const [own, other, without] = [captured, eager, plain].map(({ epochs }) => epochs.at(-1)!.test!.loss);
      expect(own).toBeCloseTo(other!, 5);
      expect(own).not.toBeCloseTo(without!, 4);
    },
  );
});

test('one view, empty views, runs on features', async () => {
  expect(warningsOf([tta({ flip: false })], smallInfo())).toEqual([
    'NO_EFFECT [tta] there is one view: neither flip nor five crops.',
  ]);
  expect(warningsOf([tta({ crops: 'five', padding: 99 })], smallInfo())).toHaveLength(1);
  const features = { features: {} as RunInfo['features'] & object };
  expect(await messageOfError(async () => compose([tta()], smallInfo(features)))).toContain('expected a run on images');
});
