import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { composeRun, type PhasePart } from '../../src/compose/compose-run.ts';
import { definePlugin, type Plugin, type PluginDefinition } from '../../src/plugin.ts';
import type { RunInfo } from '../../src/run.ts';
import { smallInfo } from '../support/info.ts';
import { messageOfError } from '../support/message.ts';
import { tinyModel } from '../support/squares.ts';

const options = z.strictObject({});
const plugin = (name: string, parts: Partial<PluginDefinition<typeof options>> = {}): Plugin =>
  definePlugin({ name, options, apply() {}, ...parts })();

/** Notes the infos that it is applied with. */
function listener(name: string, spans: 'run' | 'phase') {
  const infos: RunInfo[] = [];
  const apply: PluginDefinition['apply'] = ({ info, hooks, warn }) => {
    infos.push(info);
    hooks.onBatchEnd.tap(name, () => {});
    warn('NO_EFFECT', `by ${name}.`);
  };
  return { infos, plugin: plugin(name, { spans, apply }) };
}

const warning = { code: 'NO_EFFECT', plugin: 'data', message: 'unused.' };

const part = (changes: Partial<PhasePart> = {}, info: Partial<RunInfo> = {}): PhasePart => {
  const model = tinyModel();
  return {
    phase: null,
    before: 0,
    options: {},
    models: { base: model, model },
    warnings: [],
    ...changes,
    info: smallInfo(info),
  };
};

/** Parts of 3, 2 and 4 epochs of 3, 5 and 7 steps. */
const parts = (changes: Partial<PhasePart>[] = []): PhasePart[] =>
  [
    { name: 'first', epochs: 3, stepsPerEpoch: 3, batchSize: 16, before: 0 },
    { name: 'second', epochs: 2, stepsPerEpoch: 5, batchSize: 8, before: 3 },
    { name: 'third', epochs: 4, stepsPerEpoch: 7, batchSize: 5, before: 5 },
  ].map(({ name, before, ...sizes }, i) =>
    part(
      { phase: { name, number: i + 1, epochs: sizes.epochs }, before, warnings: [warning], ...changes[i] },
      { ...sizes, start: { ...smallInfo().start, ...(i > 0 && { init: `phase ${i}` }) } },
    ),
  );

test('a run that has one phase is composed of the run’s plugins; warnings of its options come first', () => {
  const own = listener('own', 'run');
  const one = part({ warnings: [warning] });
  const run = composeRun({ plugins: [own.plugin] }, [one], { total: 9, largest: 6, smallest: 3, source: 'a.json' });
  expect(run).toMatchObject({ spanning: null, phases: [{ ...one, place: null }] });
  expect(run.info).toBe(one.info);
  expect(own.infos).toEqual([one.info]);
  expect(run.phases[0]!.composition.plugins).toEqual([own.plugin]);
  expect(run.phases[0]!.composition.warnings).toEqual([
    warning,
    { code: 'NO_EFFECT', plugin: 'own', message: 'by own.' },
  ]);
  expect(run.plan).toContain('class counts            6 to 3; each is in a.json');
  expect(run.plan).toContain(
    '\nwarning                 NO_EFFECT [data] unused.\nwarning                 NO_EFFECT [own]',
  );
  expect(composeRun({}, [one]).plan).toContain('class counts            20 9 4 2\n');
  expect(run.brief).toMatchInlineSnapshot(`
    "run                     small, seed 0
    data                    squares: 35 images, 4 classes, ratio 2
    class counts            6 to 3; each is in a.json, which is not under the data root
    augment                 none
    steps                   2 epochs × 3 steps of 16
    plugins                 own
    warning                 NO_EFFECT [data] unused.
    warning                 NO_EFFECT [own] by own."
  `);
});

test('plugins that span the run are applied once, those of phases to theirs; each sees its own info', () => {
  const all = listener('all', 'run');
  const own = listener('own', 'phase');
  const outside = listener('outside', 'phase');
  const run = composeRun(
    { plugins: [all.plugin, outside.plugin] },
    parts([{}, { options: { plugins: [own.plugin] } }]),
    {
      total: 9,
      largest: 6,
      smallest: 3,
      source: 'a.json',
    },
  );
  const phases = [
    { name: 'first', number: 1, epochs: 3, batchSize: 16, stepsPerEpoch: 3 },
    { name: 'second', number: 2, epochs: 2, batchSize: 8, stepsPerEpoch: 5 },
    { name: 'third', number: 3, epochs: 4, batchSize: 5, stepsPerEpoch: 7 },
  ];
  const { phase: _, ...whole } = smallInfo({ epochs: 9, phases });
  expect(run.info).toEqual(whole);
  expect(all.infos).toEqual([whole]);
  expect(outside.infos).toEqual([]);
  expect(own.infos).toEqual([run.phases[1]!.info]);
  expect(run.phases.map(({ info }) => [info.phase, info.epochs, info.phases])).toEqual(
    phases.map((phase) => [phase, phase.epochs, undefined]),
  );
  expect(run.phases.map(({ place }) => place)).toEqual([
    { phase: 'first', epochs: 0, steps: 0 },
    { phase: 'second', epochs: 3, steps: 9 },
    { phase: 'third', epochs: 5, steps: 19 },
  ]);
  expect(run.spanning!.plugins).toEqual([all.plugin]);
  expect(
    run.phases.map(({ composition: { hooks, plugins, warnings } }) => [
      hooks.onBatchEnd.taps.map(({ name }) => name),
      plugins,
      warnings.map((one) => one.plugin),
    ]),
  ).toEqual([
    [['all'], [], ['data']],
    [['own', 'all'], [own.plugin], ['own']],
    [['all'], [], []],
  ]);
  expect(run.plan).toContain('class counts            6 to 3; each is in a.json');
  expect(run.plan).toContain('phases                  first (3 epochs) → second (2 epochs) → third (4 epochs)\n');
});

describe('what is wrong in any phase is known before the first is trained', () => {
  const refused = (
    run: { plugins?: readonly Plugin[]; known?: readonly PluginDefinition[] },
    phases: readonly PhasePart[],
  ) => messageOfError(() => composeRun(run, phases));

  test('an epoch without a step', async () => {
    const empty = (phase: PhasePart['phase']) => part({ phase }, { stepsPerEpoch: 0 });
    expect(await refused({}, [empty(null)])).toMatch(/^train\.dropLast: expected at least one full batch/);
    expect(await refused({}, [parts()[0]!, empty({ name: 'second', number: 2, epochs: 1 })])).toMatch(
      /^phases\[1]\.train\.dropLast \(phase second\): expected at least one full batch/,
    );
  });

  test('a plugin that spans the run and does more than observe', async () => {
    const deciding = plugin('deciding', { spans: 'run', provides: ['sampler'] });
    expect(await refused({ plugins: [deciding] }, parts())).toMatch(/^\[deciding] spans the phases of a run/);
    expect(await refused({ plugins: [deciding] }, [part()])).toMatch(/^\[deciding] spans the phases of a run/);
  });

  test('what a plugin lacks; providers that are known are named', async () => {
    const known = [plugin('mixup', { provides: ['mix'] }).definition];
    const lacking = plugin('remix', { requires: ['mix'] });
    const message = 'plugins[0] (remix) requires "mix", which no plugin provides.\n  Add mixup.';
    expect(await refused({ plugins: [lacking], known }, [part()])).toBe(message);
    expect(await refused({ known }, parts([{}, {}, { options: { plugins: [lacking] } }]))).toBe(message);
    const spanning = plugin('remix', { requires: ['mix'], spans: 'run' });
    expect(await refused({ plugins: [spanning], known }, parts())).toBe(message);
  });

  test('a model that cannot start from that of the phase before, unless what differs is drawn anew', async () => {
    const other = tinyModel(4, 9);
    const models = { base: other, model: other };
    expect(await refused({}, parts([{}, {}, { models }]))).toMatch(/^model\.init: phase 2: /);
    expect(await refused({}, parts([{}, { models }]))).toMatch(/^model\.init: phase 1: /);
    const three = parts([{}, {}, { models }]);
    const reset = ['hidden', 'classifier'];
    three[2]!.info = { ...three[2]!.info, start: { ...three[2]!.info.start, reset } };
    expect(() => composeRun({}, three)).not.toThrow();
  });
});
