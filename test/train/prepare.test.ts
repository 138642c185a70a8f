import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { identityOf } from '../../src/data/identity.ts';
import { TailmixError } from '../../src/errors.ts';
import { definePlugin } from '../../src/plugin.ts';
import type { Snapshot } from '../../src/run.ts';
import { describeRun } from '../../src/train/describe-run.ts';
import { prepare, readData, startedFrom, type TrainerOptions } from '../../src/train/prepare.ts';
import { messageOfError } from '../support/message.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { snapshotAfter } from '../support/tracked-run.ts';

const data = squares();
const loaded = (changes: Partial<TrainerOptions> = {}): TrainerOptions => ({ data, model: tinyModel(), ...changes });

/** A snapshot of the tiny model in which every value of weight i is i. */
const trained = (changes: Partial<Snapshot> = {}): Snapshot => ({
  ...snapshotAfter(1),
  state: Object.fromEntries(
    tinyModel().weights.map(({ name, shape }, i) => [
      name,
      { shape, values: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(i) },
    ]),
  ),
  weights: tinyModel().weights.map(({ name }) => name),
  data: identityOf(data),
  ...changes,
});

describe('settings', () => {
  test('of data that is loaded', async () => {
    const { settings } = await prepare(loaded());
    expect(settings).toMatchObject({
      name: 'squares',
      method: 'squares',
      seed: 0,
      subsetSeed: 0,
      profile: null,
      workers: 1,
      train: { epochs: 200, batchSize: 128, dropLast: false },
      evaluate: { every: 1 },
    });
  });

  test('of a known set, and what is said of the run', async () => {
    const digits = { name: 'digits', ratio: 100 } as const;
    const described = async (options: Partial<TrainerOptions>) =>
      (await describeRun({ data: digits, model: { name: 'mlp' }, ...options })).settings;
    expect(await described({})).toMatchObject({
      name: 'digits',
      method: 'digits',
      subsetSeed: 0,
      profile: 'exp-100',
      workers: 1,
    });
    expect(
      await described({ name: 'n', method: 'm', seed: 5, data: { ...digits, subsetSeed: 6, workers: 0 } }),
    ).toMatchObject({ name: 'n', method: 'm', seed: 5, subsetSeed: 6, workers: 0 });
    expect(await described({ name: 'n' })).toMatchObject({ name: 'n', method: 'n' });
  });
});

describe('what is known of a run', () => {
  test('of data that is loaded', async () => {
    const { info, warnings, unread } = await describeRun(
      loaded({
        data: { ...data, validation: data.test, info: { ...data.info, notes: ['a note'], packShape: [9, 9, 3] } },
        name: 'run',
        seed: 3,
        train: { epochs: 4, batchSize: 16 },
        evaluate: { groups: { manyAbove: 9, fewBelow: 3 } },
      }),
    );
    expect(info).toEqual({
      name: 'run',
      seed: 3,
      dataset: 'squares',
      classes: ['a', 'b', 'c', 'd'],
      classCounts: [20, 9, 4, 2],
      trainCount: 35,
      validationCount: 20,
      dataNotes: ['a note'],
      imageShape: [8, 8, 3],
      packShape: [9, 9, 3],
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
      augment: data.augment,
      epochs: 4,
      batchSize: 16,
      stepsPerEpoch: 3,
      modelStages: ['input', 'stage1'],
      featureSize: 8,
      head: null,
      groups: { manyAbove: 9, fewBelow: 3 },
      start: { init: null, reset: [], freeze: [], frozenNorm: 'batch' },
    });
    expect([warnings, unread]).toEqual([[], null]);
  });

  test('steps are those of full batches where the last one is left out', async () => {
    const steps = async (batchSize: number, dropLast: boolean) =>
      (await describeRun(loaded({ train: { batchSize, dropLast } }))).info.stepsPerEpoch;
    expect([await steps(16, true), await steps(16, false), await steps(35, true), await steps(36, true)]).toEqual([
      2, 3, 1, 0,
    ]);
  });

  test('the head is the model’s, also where plugins add to it; the base is without them', async () => {
    const adding = definePlugin({
      name: 'adding',
      options: z.strictObject({}),
      extendModel: (model, _, { classes, imageShape }) => ({
        ...model,
        featureSize: classes + imageShape[0],
        weights: [...model.weights, { name: 'adding/x', shape: [1], kind: 'bias', initial: () => new Float32Array(1) }],
      }),
      apply() {},
    });
    const base = { ...tinyModel(), head: { kind: 'linear', scale: 1 } } as const;
    const { info, models, model } = await prepare(loaded({ model: base, plugins: [adding()] }));
    expect(info).toMatchObject({ head: { kind: 'linear', scale: 1 }, featureSize: 12 });
    expect(model).toBe(models.model);
    const names = ({ weights }: { weights: readonly { name: string }[] }) => weights.map(({ name }) => name);
    expect(names(models.model)).toEqual([...names(models.base), 'adding/x']);
  });

  test('counts that come with data that is not there are of the same range', async () => {
    const { info, unread } = await describeRun({
      data: { name: 'inat2018', root: '/nowhere' },
      model: { name: 'resnet50' },
      train: { batchSize: 512 },
    });
    expect([Math.max(...info.classCounts), Math.min(...info.classCounts)]).toEqual([unread!.largest, unread!.smallest]);
    expect(info.classCounts).toHaveLength(info.classes.length);
    expect(info.trainCount).toBe(unread!.total);
    expect(info.stepsPerEpoch).toBe(Math.ceil(unread!.total / 512));
  });
});

describe('images', () => {
  const digits = { name: 'digits', ratio: 100 } as const;

  test('that are loaded are used as they are, and are not read again where they are given', async () => {
    expect(await readData(loaded())).toBe(data);
    const given = { ...squares(), skipped: ['one'] };
    expect((await prepare(loaded(), given)).data).toBe(given);
    expect((await prepare(loaded())).data).toBe(data);
  });

  test('are not read on once the run is asked to end, and the reason is told', async () => {
    const read = (signal: AbortSignal) => readData({ data: digits, model: { name: 'mlp' }, signal });
    expect(await messageOfError(() => read(AbortSignal.abort('SIGINT')))).toBe(
      'SIGINT: the run ended while its images were read, before its first step.',
    );
    const lost = new TailmixError('lost', { code: 'DIRECTORY_LOST' });
    await expect(read(AbortSignal.abort(lost))).rejects.toBe(lost);
    expect((await read(new AbortController().signal)).train.indices).toHaveLength(1985);
  });
});

describe('where the weights begin', () => {
  const start = async (options: Partial<TrainerOptions>) => {
    const { info, ...prepared } = await prepare(loaded(options));
    return { ...prepared.start, info: info.start, initialData: prepared.initialData };
  };

  test('as drawn, all trained', async () => {
    expect(await start({})).toEqual({
      initial: {},
      frozen: new Set(),
      fixed: new Set(),
      info: { init: null, reset: [], freeze: [], frozenNorm: 'batch' },
      initialData: undefined,
    });
  });

  test('at weights in memory, but for what is reset', async () => {
    const init = trained();
    const all = await start({ start: { init } });
    expect(all.info.init).toBe('weights in memory');
    expect(all.initial).toEqual(Object.fromEntries(init.weights.map((name) => [name, init.state[name]!.values])));
    expect(all.initialData).toBeUndefined();
    const reset = await start({
      start: { init, reset: ['classifier/kernel'], freeze: ['hidden'], frozenNorm: 'running' },
    });
    expect(reset.initial['hidden/kernel']).toBe(init.state['hidden/kernel']!.values);
    expect(new Set(reset.initial['classifier/kernel']).size).toBeGreaterThan(9);
    expect([reset.frozen, reset.fixed]).toEqual([new Set(['hidden/kernel', 'hidden/mean']), new Set(['hidden/mean'])]);
  });

  test('a run that is resumed, or a phase whose weights come later, has none yet', async () => {
    const init = trained();
    expect((await start({ start: { init }, resume: trained() })).initial).toEqual({});
    const later = await start({ start: { from: 'phase "one"', reset: ['classifier'] } });
    expect(later.initial).toEqual({});
    expect(later.info).toMatchObject({ init: 'phase "one"', reset: ['classifier'] });
  });

  test('those of the phase before, what is reset drawn by the run’s seed', async () => {
    const preparation = await prepare(
      loaded({ seed: 2, start: { from: 'phase "one"', reset: ['classifier/kernel'] } }),
    );
    const snapshot = trained();
    const begun = startedFrom(preparation, snapshot);
    expect(begun.start.initial['hidden/kernel']).toBe(snapshot.state['hidden/kernel']!.values);
    const byInit = await start({ seed: 2, start: { init: snapshot, reset: ['classifier/kernel'] } });
    expect(begun.start.initial).toEqual(byInit.initial);
    expect(begun.start.frozen).toBe(preparation.start.frozen);
    expect(begun.info).toBe(preparation.info);
  });

  test('a reset of drawn weights is refused', async () => {
    expect(await messageOfError(() => prepare(loaded({ start: { reset: ['classifier'] } })))).toMatch(
      /^model\.reset: .*classifier/,
    );
  });

  describe('which have seen other data', () => {
    const other = { ...identityOf(data), classes: ['a', 'b', 'c', 'e'] };
    const init = trained({ data: other });

    test('other classes are refused unless the classifier is drawn anew, or it is allowed and then recorded', async () => {
      const refused = messageOfError(() => prepare(loaded({ start: { init } })));
      expect(await refused).toMatch(/^model\.init weights in memory: /);
      expect((await start({ start: { init }, allowOtherData: true })).initialData).toEqual(other);
      expect((await start({ start: { init, reset: ['classifier'] } })).initialData).toBeUndefined();
    });

    test('other images of the same classes are no matter', async () => {
      const images = trained({ data: { ...identityOf(data), train: 'f00', dataset: 'other' } });
      expect((await start({ start: { init: images } })).initialData).toBeUndefined();
      const { data: _, ...old } = trained();
      expect((await start({ start: { init: old } })).initialData).toBeUndefined();
    });
  });
});
