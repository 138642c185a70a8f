import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { compose } from '../../src/compose/compose.ts';
import { formatPhases, formatPlan } from '../../src/compose/plan.ts';
import { definePlugin, type Plugin, type PluginDefinition, pluginOption } from '../../src/plugin.ts';
import type { PhaseInfo, RunInfo } from '../../src/run.ts';
import { smallInfo } from '../support/info.ts';
import { infoWithCounts } from '../support/plugins.ts';

const options = z.strictObject({});
const plugin = (name: string, parts: Partial<PluginDefinition<typeof options>> = {}): Plugin =>
  definePlugin({ name, options, apply() {}, ...parts })();

const linesOf = (info: RunInfo, plugins: readonly Plugin[] = []): string[] =>
  formatPlan(compose(plugins, info), info).split('\n');

/** What stands behind a name. */
const read = (lines: readonly string[], name: string): string[] =>
  lines.filter((line) => line.slice(0, 24).trim() === name).map((line) => line.slice(24));
const said = (name: string, changes: Partial<RunInfo>): string[] => read(linesOf(smallInfo(changes)), name);

describe('the data', () => {
  test('up to twenty class counts are all there, of more the first and the last ten', () => {
    const counts = (classes: number) => {
      const info = infoWithCounts(Array.from({ length: classes }, (_, c) => 100 - c));
      return read(linesOf(info), 'class counts');
    };
    expect(counts(20)).toEqual(['100 99 98 97 96 95 94 93 92 91 90 89 88 87 86 85 84 83 82 81']);
    expect(counts(21)).toEqual(['100 99 98 97 96 95 94 93 92 91 … 89 88 87 86 85 84 83 82 81 80']);
  });

  test('the ratio is of the largest and the smallest class, with a decimal where it is not whole', () => {
    const ratio = (...counts: number[]) => read(linesOf(infoWithCounts(counts)), 'data')[0];
    expect(ratio(9, 20, 2)).toBe('squares: 31 images, 3 classes, ratio 10');
    expect(ratio(9, 20, 3)).toBe('squares: 32 images, 3 classes, ratio 6.7');
  });

  test('counts that are not there are said by their range and source', () => {
    const info = infoWithCounts([7, 7]);
    const plan = formatPlan(compose([], info), info, { total: 437, largest: 100, smallest: 8, source: 'train.json' });
    const lines = plan.split('\n');
    expect(read(lines, 'data')).toEqual(['squares: 14 images, 2 classes, ratio 12.5']);
    expect(read(lines, 'class counts')).toEqual(['100 to 8; each is in train.json, which is not under the data root']);
  });

  test('transforms have their options, numbers to four digits', () => {
    expect(said('augment', {})).toEqual(['none']);
    expect(
      said('augment', {
        augment: [
          { name: 'pad-crop', padding: 4 },
          { name: 'random-resized-crop', scale: [0.08, 1], ratio: [3 / 4, 4 / 3] },
        ],
      }),
    ).toEqual(['pad-crop (padding 4), random-resized-crop (scale 0.08 to 1, ratio 0.75 to 1.333)']);
    expect(said('augment', { augment: [{ name: 'own' } as never, { name: 'text', size: 'large' } as never] })).toEqual([
      'own, text (size large)',
    ]);
  });

  test('what the data decided about the splits', () => {
    expect(said('images', {})).toEqual([]);
    expect(said('images', { dataNotes: ['one', 'two'] })).toEqual(['one', 'two']);
  });
});

describe('where the weights begin', () => {
  const start = (changes: Partial<RunInfo['start']>) => {
    const info = smallInfo({ start: { init: null, reset: [], freeze: [], frozenNorm: 'batch', ...changes } });
    return [read(linesOf(info), 'starts from'), read(linesOf(info), 'frozen')];
  };

  test('drawn, or taken, with what is drawn anew', () => {
    expect(start({})).toEqual([[], []]);
    expect(start({ init: 'runs/a' })).toEqual([['runs/a'], []]);
    expect(start({ init: 'runs/a', reset: ['classifier', 'stage3'] })).toEqual([
      ['runs/a; classifier and stage3 reinitialized'],
      [],
    ]);
  });

  test('what is frozen, and what its norms are by', () => {
    expect(start({ freeze: ['backbone', 'classifier'] })[1]).toEqual([
      'backbone and classifier; batch norms by the batch',
    ]);
    expect(start({ freeze: ['backbone'], frozenNorm: 'running' })[1]).toEqual([
      'backbone; batch norms by their averages, which stay',
    ]);
  });
});

test('several of one kind stand in one line; what nobody declares has none', () => {
  const held = [plugin('one', { provides: ['loss'] }), plugin('two', { provides: ['loss'] })];
  const both = z.strictObject({ of: z.array(z.strictObject({ plugin: pluginOption() })).default([]) });
  const holder = definePlugin({ name: 'holder', options: both, holds: 'of', provides: ['loss'], apply() {} });
  const many = plugin('many', {
    provides: ['sampler', 'smooth'],
    inputs: () => ({
      noise: { shape: ['batch', 4], dtype: 'float32' },
      step: { shape: [], dtype: 'int32' },
    }),
    variants: () => ({ depth: ['a', 'b'], width: ['c'] }),
    rows: () => ({ extra: { weights: () => new Float64Array(4).fill(1) } }),
    apply: ({ warn }) => {
      warn('NO_EFFECT', 'first.');
      warn('NOT_INTENDED', 'second.');
    },
  });
  const other = plugin('other', {
    rows: () => ({ extra: { weights: () => new Float64Array(4).fill(1) } }),
    apply: ({ hooks }) => {
      hooks.onBatch.tap({ name: 'other', stage: 7 }, (batch) => batch);
      hooks.onBatchEnd.tap('other', () => {});
      hooks.onBatch.tap('other', (batch) => batch);
    },
  });
  const lines = linesOf(smallInfo(), [many, other, holder({ of: held.map((one) => ({ plugin: one })) })]);
  expect(lines.slice(4)).toEqual([
    'steps                   2 epochs × 3 steps of 16',
    '',
    'onBatch                 other(0)  other(7)',
    'onBatchEnd              other(0)',
    '',
    'provides                sampler: many  smooth: many  loss: holder',
    'holds                   holder: one | two',
    'inputs                  many/noise: float32[batch, 4]  many/step: int32[]',
    'variants                depth: a | b  width: c',
    'rows                    many/extra: drawn from train  other/extra: drawn from train',
    'warning                 NO_EFFECT [many] first.',
    'warning                 NOT_INTENDED [many] second.',
    '',
  ]);
  expect(linesOf(smallInfo()).slice(4)).toEqual([
    'steps                   2 epochs × 3 steps of 16',
    '',
    '',
    'provides                –',
    '',
  ]);
});

test('a run of phases: the data once, what spans them, then each phase', () => {
  const phases = ['first', 'second'].map(
    (name, i): PhaseInfo => ({
      name,
      number: i + 1,
      epochs: 3 - i,
      batchSize: 16,
      stepsPerEpoch: 3,
    }),
  );
  const run = smallInfo({ epochs: 5, phases });
  const spanning = compose(
    [plugin('all', { apply: ({ hooks }) => void hooks.onTrainBegin.tap('all', () => {}) })],
    run,
  );
  const parts = phases.map((phase) => {
    const info = smallInfo({ epochs: phase.epochs, phase });
    return { composition: compose([plugin(`of-${phase.name}`, { provides: ['sampler'] })], info), info };
  });
  parts[1]!.info = { ...parts[1]!.info, start: { ...run.start, init: 'phase "first"' } };
  expect(
    formatPhases(spanning, run, parts, { total: 9, largest: 6, smallest: 3, source: 'a.json' }).split('\n'),
  ).toMatchInlineSnapshot(`
    [
      "run                     small, seed 0",
      "data                    squares: 35 images, 4 classes, ratio 2",
      "class counts            6 to 3; each is in a.json, which is not under the data root",
      "augment                 none",
      "phases                  first (3 epochs) → second (2 epochs)",
      "onTrainBegin            all(0)",
      "",
      "phase 1 of 2            first",
      "steps                   3 epochs × 3 steps of 16",
      "",
      "",
      "provides                sampler: of-first",
      "",
      "phase 2 of 2            second",
      "starts from             phase "first"",
      "steps                   2 epochs × 3 steps of 16",
      "",
      "",
      "provides                sampler: of-second",
      "",
    ]
  `);
});
