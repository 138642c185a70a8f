import { beforeAll, expect, test } from 'vitest';
import muon, { factorOf, isMatrix, orthogonalised } from '../../plugins/muon/index.ts';
import scheduleFree from '../../plugins/schedule-free/index.ts';
import { loadBackend } from '../../src/backend/load.ts';
import { compose } from '../../src/compose/compose.ts';
import { tf } from '../../src/tf.ts';
import { describeBackends } from '../backend/kernels/support.ts';
import { noise } from '../models/reference.ts';
import reference from '../reference/optimisation.json' with { type: 'json' };
import { relativeDistance } from '../step/captured-support.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { infoWithCounts, warningsOf } from '../support/plugins.ts';
import { describeCaptured, runEager } from '../support/update-steps.ts';

beforeAll(async () => void (await loadBackend()));

describeBackends('steps as in PyTorch (test/reference/optimisation.py)', (use) => {
  beforeAll(use);

  test.each(reference.muon)('$options', ({ options, losses, state }) => {
    const result = runEager([muon(options as never)]);
    expect(relativeDistance({ losses: result.losses }, { losses })).toBeLessThan(5e-6);
    expect(relativeDistance(result.state, state)).toBeLessThan(5e-6);
  });
});

describeCaptured({ muon: () => [muon()], rms: () => [muon({ scale: 'rms', nesterov: false })] });

test.each([
  [4, 9],
  [9, 4],
])(
  'singular values of an update of %i × %i are near 1, and its rows and columns those of the matrix',
  (rows, columns) => {
    const matrix = tf.tensor2d(noise('matrix', rows * columns), [rows, columns]);
    const x = orthogonalised(matrix, 5);
    expect(x.shape).toEqual([rows, columns]);
    const gram = (rows < columns ? tf.matMul(x, x, false, true) : tf.matMul(x, x, true)).arraySync() as number[][];
    // The iteration leaves singular values between about 0.7 and 1.2.
    for (const [i, row] of gram.entries()) {
      expect(row[i]).toBeGreaterThan(0.35);
      expect(row[i]).toBeLessThan(1.5);
    }
    const along = tf.sum(x.mul(matrix)).arraySync() as number;
    expect(along).toBeGreaterThan(0);
  },
);

test('matrices are kernels of more than one output, but no classifier’s', () => {
  const of = (name: string, shape: number[], kind = 'kernel') => isMatrix({ name, shape, kind: kind as 'kernel' });
  expect(of('stage1/conv1/kernel', [3, 3, 16, 16])).toBe(true);
  expect(of('classifier/kernel', [64, 10])).toBe(false);
  expect(of('experts/second/classifier/kernel', [64, 10])).toBe(false);
  expect(of('block1/depthwise/kernel', [3, 3, 16, 1])).toBe(false);
  expect(of('stage1/bias', [3, 4], 'bias')).toBe(false);
  expect(factorOf(8, 2, 'shape')).toBe(2);
  expect(factorOf(2, 8, 'shape')).toBe(1);
  expect(factorOf(25, 100, 'rms')).toBe(2);
});

test('one plugin replaces the optimizer; groups of weights are told of', async () => {
  expect(await messageOfError(async () => compose([muon(), scheduleFree()], smallInfo()))).toContain('optimizer');
  expect(warningsOf([muon()], infoWithCounts([3, 2], { weightGroups: ['backbone: …'] }))[0]).toContain('NOT_INTENDED');
});
