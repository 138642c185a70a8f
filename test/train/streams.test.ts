import process from 'node:process';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { compose } from '../../src/compose/compose.ts';
import type { Composition } from '../../src/compose/types.ts';
import { identityOf } from '../../src/data/identity.ts';
import { epochIndices } from '../../src/data/sampler.ts';
import { definePlugin, type PluginDefinition } from '../../src/plugin.ts';
import { randomStream } from '../../src/random.ts';
import type { GroupImages } from '../../src/row-groups.ts';
import type { Batch } from '../../src/step/types.ts';
import { planEpoch } from '../../src/train/epoch.ts';
import { createRehearsal } from '../../src/train/rehearse.ts';
import { seenData } from '../../src/train/seen-data.ts';
import { smallInfo } from '../support/info.ts';
import { squares } from '../support/squares.ts';
import { snapshotAfter } from '../support/tracked-run.ts';

const options = z.strictObject({});
const plugin = (name: string, parts: Partial<PluginDefinition<typeof options>>) =>
  definePlugin({ name, options, apply() {}, ...parts })();

test('an epoch’s rows are those of its streams: the sampler’s, and one of each group', () => {
  const { train: subset } = squares();
  const size = subset.indices.length;
  const groups: Composition['groups'] = {
    'one/extra': { view: false, from: 'train', augment: null, weights: () => new Float64Array(4).fill(1) },
    'one/view': { view: true, augment: null },
  };
  const [step] = planEpoch({
    subset,
    seed: 5,
    epoch: 3,
    batchSize: 64,
    dropLast: false,
    samplingWeights: null,
    groups,
  });
  const trained = epochIndices(subset, null, randomStream(5, 'sampler', 3));
  const drawn = epochIndices(subset, new Float64Array(size).fill(1), randomStream(5, 'rows', 'one/extra', 3));
  expect([...step!.indices]).toEqual([...trained, ...drawn, ...trained]);
  expect([...step!.positions]).toEqual([0, 1, 2].flatMap(() => trained.map((_, i) => i)).flatMap((all) => [...all]));
  expect([...step!.sources!]).toEqual([0, 1, 2].flatMap((source) => Array<number>(size).fill(source)));
});

/** Batches of rehearsals, and class weights in them. */
function rehearsed(parts: Partial<PluginDefinition<typeof options>>, call: 'train' | 'predict' = 'train') {
  const batches: Batch[] = [];
  const weights: number[][] = [];
  const ear = plugin('ear', {
    apply({ hooks }) {
      hooks.computeClassWeights.tap('ear', (given) => {
        weights.push([...given]);
        return given;
      });
      hooks.onBatch.tap({ name: 'ear', stage: 9 }, (batch) => {
        batches.push(batch);
        return batch;
      });
    },
  });
  const info = smallInfo();
  const composition = compose(
    [
      plugin('mine', parts),
      plugin('other', { rows: () => ({ extra: { weights: () => new Float64Array(4).fill(1) } }) }),
      ear,
    ],
    info,
  );
  const rehearse = createRehearsal(composition, info, [4]);
  for (const recording of [1, 2] as const) rehearse(recording, { call, variants: {}, inputs: {} });
  return { batches, weights };
}

test('a rehearsal of a step without labels is of the first batch; each group has rows of its own', () => {
  const { batches } = rehearsed({ rows: () => ({ extra: { weights: () => new Float64Array(4).fill(1) } }) });
  expect(batches.map(({ size, groups }) => [size, groups])).toEqual(
    [1, 2].map(() => [4, { 'mine/extra': { start: 4, size: 4 }, 'other/extra': { start: 8, size: 4 } }]),
  );
});

test('groups are rehearsed with images of the split that they draw from', () => {
  const seen: Record<string, number[]> = {};
  const noting = (from: 'train' | 'validation') => ({
    from,
    weights: (_: number, { labels }: GroupImages) => {
      seen[from] = [...labels];
      return new Float64Array(4).fill(1);
    },
  });
  rehearsed({ rows: () => ({ train: noting('train'), meta: noting('validation') }) });
  const { classCounts } = smallInfo();
  expect(seen.train).toEqual(classCounts.flatMap((count, c) => Array(count).fill(c)));
  expect(seen.validation).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
});

test('lambdas that differ are what a second rehearsal wants', () => {
  let count = 0;
  const { batches } = rehearsed({
    provides: ['mix'],
    apply: ({ hooks }) =>
      void hooks.onBatch.tap('mine', (batch) => ({ ...batch, lambda: batch.lambda.map(() => 1 / ++count) })),
  });
  expect(batches).toHaveLength(2);
});

test('sampling weights that a plugin changes in place leave the class weights as they are', () => {
  const { weights } = rehearsed({
    apply: ({ hooks }) => void hooks.computeSamplingWeights.tap('mine', (given) => given?.fill(7) ?? null),
  });
  expect(weights).toEqual([
    [1, 1, 1, 1],
    [1 / 2, 1 / 3, 1 / 4, 1 / 5],
  ]);
});

test('a checkpoint that does not say what it was trained on is warned of, and no other', async () => {
  const data = squares();
  const { data: _, ...old } = snapshotAfter(1);
  const codes: unknown[] = [];
  const hear = ({ code }: Error & { code?: string }): void => void codes.push(code);
  process.on('warning', hear);
  onTestFinished(() => void process.off('warning', hear));
  const run = { data, model: { name: 'mlp' } } as const;
  seenData(run, data, undefined);
  seenData({ ...run, resume: { ...old, data: identityOf(data) } }, data, undefined);
  await new Promise(setImmediate);
  expect(codes).toEqual([]);
  seenData({ ...run, resume: old }, data, undefined);
  await new Promise(setImmediate);
  expect(codes).toEqual(['DATA_UNCOMPARED']);
});
