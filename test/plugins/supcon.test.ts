import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { supervisedContrastiveLoss } from '../../plugins/bcl/contrastive.ts';
import supcon from '../../plugins/supcon/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { tf } from '../../src/tf.ts';
import { smallInfo } from '../support/info.ts';

interface Case {
  labels: number[];
  temperature: number;
  x: number[][];
  p: number[][];
  supervised: { loss: number; dx: number[][] };
}
const reference: { cases: Case[]; single: Case } = JSON.parse(
  readFileSync(new URL('../reference/contrastive.json', import.meta.url), 'utf8'),
);

beforeAll(async () => void (await loadBackend()));

const unit = (x: tf.Tensor): tf.Tensor => x.div(x.square().sum(1, true).sqrt());

test.each([...reference.cases, reference.single].map((one, i): [number, Case] => [i, one]))(
  'the loss and its gradient are PyTorch’s, computed pair by pair, case %i',
  (_, { labels, temperature, x, p, supervised }) => {
    const loss = (features: tf.Tensor): tf.Tensor =>
      supervisedContrastiveLoss(unit(features), tf.tensor1d(labels, 'int32'), p.length, temperature);
    const found = tf.valueAndGrad(loss as never)(tf.tensor(x));
    expect(found.value.dataSync()[0]! / supervised.loss).toBeCloseTo(1, 5);
    const numbers = supervised.dx.flat();
    const off = Math.hypot(...Array.from(found.grad.dataSync(), (value, i) => value - numbers[i]!));
    expect(off / Math.hypot(...numbers)).toBeLessThan(1e-5);
  },
);

test('has two views, which a weight of 0 makes idle', () => {
  const { groups, warnings } = compose([supcon({ weight: 0 })], smallInfo());
  expect(groups).toEqual({
    'supcon/first': { view: true, augment: null },
    'supcon/second': { view: true, augment: null },
  });
  expect(warnings.map(({ code }) => code)).toEqual(['NO_EFFECT']);
});
