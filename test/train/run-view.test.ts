import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { identityOf } from '../../src/data/identity.ts';
import { definePlugin } from '../../src/plugin.ts';
import type { PhaseRun, Run, Snapshot } from '../../src/run.ts';
import { createPhaseRun, createRun, type Progress, type RunParts } from '../../src/train/open-run.ts';
import { createTrainer, type TrainerOptions } from '../../src/train/trainer.ts';
import { version } from '../../src/version.ts';
import { smallInfo } from '../support/info.ts';
import { squares, tinyModel } from '../support/squares.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { epochMetrics, evaluation, snapshotAfter } from '../support/tracked-run.ts';

const data = squares();

/** Trains two epochs; the run as an observer sees it at its end, and the clock around it. */
async function observed(changes: Partial<TrainerOptions> = {}) {
  const seen: { run?: Run } = {};
  const watch = definePlugin({
    name: 'watch',
    options: z.strictObject({}),
    apply: ({ hooks }) => {
      hooks.onTrainEnd.tap('watch', (_, run) => {
        seen.run = run;
      });
      return { save: () => 'kept', load() {} };
    },
  });
  const start = performance.now();
  const result = await createTrainer({
    data,
    model: tinyModel(),
    plugins: [watch()],
    train: { epochs: 2, batchSize: 16, step: 'eager' },
    backend: 'wasm',
    ...changes,
  }).run();
  return { ...result, run: seen.run!, elapsed: (performance.now() - start) / 1000 };
}

describe('a run as observers see it', () => {
  test('of options that say little', async () => {
    const { run, summary, snapshot, epochs, elapsed } = await observed();
    expect(run).toMatchObject({
      directory: null,
      config: null,
      configHash: '',
      resumedFrom: 0,
      subset: { seed: 0, profile: null, hash: data.train.hash, skipped: 0 },
      data: identityOf(data),
      evaluated: { test: { hash: data.test.hash, count: 20 }, validation: null },
      engine: { backend: 'wasm', tensorflow: null, mode: 'eager', precision: 'fp32' },
      stopped: null,
      interrupted: false,
    });
    expect(run.plan).toMatch(/^run {21}squares, seed 0\n/);
    expect(run.epochs).toEqual(epochs);
    expect(run.weights).toEqual([
      { name: 'hidden/kernel', shape: [192, 8], trained: true },
      { name: 'hidden/mean', shape: [8], trained: false },
      { name: 'classifier/kernel', shape: [8, 4], trained: true },
      { name: 'classifier/bias', shape: [4], trained: true },
    ]);
    expect(summary).toMatchObject({
      name: 'squares',
      method: 'squares',
      seed: 0,
      subsetSeed: 0,
      subsetHash: data.train.hash,
      images: { train: identityOf(data).train, validation: null, test: identityOf(data).test },
      configHash: '',
      status: 'finished',
      reason: null,
      dataset: 'squares',
      classes: data.info.classes,
      classCounts: [20, 9, 4, 2],
      groups: { manyAbove: 100, fewBelow: 20 },
      epochs: 2,
      lastEpoch: 2,
      backend: 'wasm',
      stepMode: 'eager',
      stepModeReason: null,
      precision: 'fp32',
      precisionReason: null,
      tailmix: version,
      versions: { node: process.versions.node },
    });
    for (const name of ['otherData', 'rollbacks']) expect(summary).not.toHaveProperty(name);
    expect(summary.versions).not.toHaveProperty('tensorflow');
    expect(snapshot).toMatchObject({
      epoch: 2,
      step: 6,
      weights: ['hidden/kernel', 'hidden/mean', 'classifier/kernel', 'classifier/bias'],
      plugins: { watch: 'kept' },
      configHash: '',
      data: identityOf(data),
    });
    expect(Object.entries(snapshot!.state).map(([name, { shape, values }]) => [name, shape, values.length])).toEqual([
      ['hidden/kernel', [192, 8], 1536],
      ['hidden/mean', [8], 8],
      ['classifier/kernel', [8, 4], 32],
      ['classifier/bias', [4], 4],
      ['momentum/hidden/kernel', [192, 8], 1536],
      ['momentum/classifier/kernel', [8, 4], 32],
      ['momentum/classifier/bias', [4], 4],
    ]);
    expect(snapshot).not.toHaveProperty('rollbacks');
    expect(snapshot!.history).toEqual(
      epochs.map((metrics) => ({ ...metrics, test: { ...metrics.test, confusion: null } })),
    );
    for (const { seconds } of [summary, snapshot!]) {
      expect(seconds).toBeGreaterThan(0);
      expect(seconds).toBeLessThanOrEqual(elapsed);
    }
  });

  test('of options that say much; what is frozen is not trained', async () => {
    const directory = await temporaryFolder();
    const { run, summary, snapshot } = await observed({
      name: 'named',
      method: 'Method',
      seed: 3,
      directory,
      config: { resolved: { name: 'named' }, hash: 'abc' },
      data: { ...data, validation: data.test, skipped: ['a.png', 'b.png'] },
      start: { freeze: ['hidden'] },
      evaluate: { every: 2, groups: { manyAbove: 10, fewBelow: 5 } },
    });
    expect(run).toMatchObject({
      directory,
      config: { name: 'named' },
      configHash: 'abc',
      subset: { skipped: 2 },
      evaluated: { validation: { hash: data.test.hash, count: 20 } },
    });
    expect(run.weights.map(({ trained }) => trained)).toEqual([false, false, true, true]);
    expect(summary).toMatchObject({
      name: 'named',
      method: 'Method',
      seed: 3,
      configHash: 'abc',
      groups: { manyAbove: 10, fewBelow: 5 },
    });
    expect(snapshot).toMatchObject({ configHash: 'abc' });
    expect(snapshot!.history.map(({ test: evaluated }) => evaluated === null)).toEqual([true, false]);
  });

  test('a resumed run counts on: epochs, and the seconds of before', async () => {
    const { snapshot } = await observed({ train: { epochs: 1, batchSize: 16, step: 'eager' } });
    const resume: Snapshot = { ...snapshot!, seconds: 1000 };
    const { run, summary, epochs, elapsed } = await observed({ resume });
    expect(run.resumedFrom).toBe(1);
    expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect(summary.seconds).toBeGreaterThan(1000);
    expect(summary.seconds).toBeLessThanOrEqual(1000 + elapsed);
    expect(resume.history).toHaveLength(1);
  });

  test('one that is interrupted says so; the first reason to stop stays', async () => {
    const abort = new AbortController();
    const stopping = definePlugin({
      name: 'stopping',
      options: z.strictObject({}),
      apply: ({ hooks }) =>
        void hooks.onEpochBegin.tap('stopping', (_, run) => {
          run.stop('first');
          run.stop('second');
          abort.abort();
        }),
    });
    const watched: boolean[] = [];
    const watch = definePlugin({
      name: 'watch',
      options: z.strictObject({}),
      apply: ({ hooks }) => void hooks.onTrainEnd.tap('watch', (_, run) => void watched.push(run.interrupted)),
    });
    const { summary } = await observed({ plugins: [stopping(), watch()], signal: abort.signal }).catch(() => ({
      summary: null,
    }));
    expect(summary).toMatchObject({ status: 'stopped', reason: 'first' });
    expect(watched).toEqual([true]);
  });
});

describe('a run in parts that are given', () => {
  const parts = {
    options: {},
    settings: { subsetSeed: 4, profile: 'exp-100', method: 'm' },
    data: { ...data, validation: null },
    info: smallInfo({ epochs: 9 }),
    seen: { ...identityOf(data), otherData: [{ by: 'init', data: identityOf(data) }] },
    plan: 'run\n',
    backboneOf: () => undefined,
    backend: { name: 'native', tensorflow: '2.21.0' },
    spanning: { states: { all: { save: () => 'all' } } },
    started: performance.now(),
  } as unknown as RunParts;
  const engine = {
    mode: 'captured',
    reason: 'why',
    precision: 'bf16',
    precisionReason: 'so',
    read: () => ({}),
    macs: () => null,
  };
  const progressOf = (changes: Partial<Progress> = {}): Progress =>
    ({
      fit: {
        engine,
        program: { state: {}, signatures: [{ call: 'predict', variants: {}, inputs: {} }] },
        model: { weights: [] },
        composition: { states: { own: { save: () => 'own' } } },
        start: { frozen: new Set() },
      },
      epochs: [],
      rollbacks: [],
      stopReason: null,
      failure: null,
      midEpoch: false,
      ...changes,
    }) as unknown as Progress;

  test('the status is that of the first error, then of a reason to stop', () => {
    const statusOf = (changes: Partial<Progress>) => {
      const { status, reason } = createRun(parts, progressOf(changes)).summary();
      return [status, reason];
    };
    expect(statusOf({})).toEqual(['finished', null]);
    expect(statusOf({ stopReason: 'enough' })).toEqual(['stopped', 'enough']);
    expect(statusOf({ failure: 'boom', stopReason: 'enough' })).toEqual(['failed', 'boom']);
  });

  test('an engine that is another one later is seen as it is then; versions and other data are recorded', () => {
    const progress = progressOf();
    const run = createRun(parts, progress);
    expect(run.engine).toEqual({
      backend: 'native',
      tensorflow: '2.21.0',
      mode: 'captured',
      reason: 'why',
      precision: 'bf16',
      precisionReason: 'so',
    });
    progress.fit = { ...progress.fit, engine: { ...engine, mode: 'eager' } } as unknown as Progress['fit'];
    expect(run.engine.mode).toBe('eager');
    expect(run.subset).toMatchObject({ seed: 4, profile: 'exp-100' });
    expect(run.summary()).toMatchObject({
      versions: { tensorflow: '2.21.0' },
      otherData: parts.seen.otherData,
      stepMode: 'eager',
      stepModeReason: 'why',
      precisionReason: 'so',
    });
  });

  test('its snapshot is after its last epoch, with the state of plugins that span it', () => {
    const rollbacks = [{ epoch: 2, to: 1, factor: 0.5, reason: 'NaN' }];
    expect(createRun(parts, progressOf()).snapshot()).toMatchObject({
      epoch: 0,
      step: 0,
      plugins: { own: 'own', all: 'all' },
    });
    const progress = progressOf({ epochs: [epochMetrics(1, { test: null }), epochMetrics(2)], rollbacks });
    const snapshot = createRun(parts, progress).snapshot();
    expect(snapshot).toMatchObject({ epoch: 2, step: 6, rollbacks });
    expect(snapshot.rollbacks).not.toBe(rollbacks);
    expect(snapshot.history.map(({ test: evaluated }) => evaluated)).toEqual([
      null,
      { ...evaluation(0.25), confusion: null },
    ]);
    expect(createRun(parts, progress).summary()).toMatchObject({ rollbacks });
  });

  test('a phase counts from its own beginning', () => {
    const resumed = (epoch: number): PhaseRun => {
      const own = { ...parts, options: { resume: { ...snapshotAfter(epoch) } } } as unknown as RunParts;
      const session = { parts: own, progress: progressOf() };
      const whole = createRun(own, session.progress);
      return createPhaseRun(whole, session, { info: smallInfo({ name: 'phase' }), before: 3 });
    };
    expect([1, 3, 4, 7].map((epoch) => resumed(epoch).resumedFrom)).toEqual([0, 0, 1, 4]);
    expect(resumed(5)).toMatchObject({ info: { name: 'phase' }, whole: { info: { epochs: 9 }, resumedFrom: 5 } });
  });
});
