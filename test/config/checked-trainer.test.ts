import { describe, expect, it, test } from 'vitest';
import mixup from '../../plugins/mixup/index.ts';
import { causeOf } from '../../src/cli/sweep.ts';
import { createTrainer } from '../../src/config/checked-trainer.ts';
import type { TrainerOptions } from '../../src/train/prepare.ts';
import { messageOfError } from '../support/message.ts';

const good = { data: { name: 'digits' }, model: { name: 'mlp' } };
const cyclic: Record<string, unknown> = { name: 'digits' };
cyclic.ratio = cyclic;
const failure = (options: unknown) => messageOfError(() => createTrainer(options as TrainerOptions).run());

describe('options in plain JavaScript are answered as a config file is', () => {
  it.each([
    ['nothing', undefined],
    ['no options', {}],
    ['a list', []],
    ['an unknown data set', { ...good, data: { name: 'digit' } }],
    ['an unknown model', { ...good, model: { name: 'resnet33' } }],
    ['an unknown option', { ...good, train: { epoch: 3 }, evaluate: { every: 0 } }],
    ['names of plugins', { ...good, plugins: ['mixup'] }],
    ['entries of plugins', { ...good, plugins: [{ use: 'balanced-mixup', alpha: 1 }] }],
    ['a plugin that was not called', { ...good, plugins: [mixup] }],
    ['plugins that are no list', { ...good, plugins: mixup() }],
    ['an option that there is not', { ...good, trian: { epochs: 3 }, epochs: 3 }],
    ['options of another kind', { ...good, seed: '1', name: '', directory: 5, signal: 5, backend: 'gpu' }],
    ['phases that are no list', { ...good, phases: 'erm' }],
    ['what has no JSON', { ...good, train: { epochs: 3n, batchSize: Symbol('x') }, data: cyclic }],
    ['plugins of a phase', { ...good, phases: [{ name: 'erm' }, { plugins: [null] }] }],
  ])('%s', async (_, options) => {
    expect(await failure(options)).toMatchSnapshot();
  });

  it('with exit code 2, and all at once', async () => {
    const run = createTrainer({ data: { name: 'digit' }, plugins: ['mixup'] } as never).run();
    await expect(run).rejects.toMatchObject({ name: 'TailmixError', code: 'CONFIG_INVALID', exitCode: 2 });
    expect((await failure({ data: { name: 'digit' }, plugins: ['mixup'] })).split('\n\n')).toHaveLength(3);
  });
});

test('a failed run of a sweep is one line: the cause, and the file or folder to look into', () => {
  const run = { label: 'remix seed 1', variation: '', configs: [], set: [], directory: 'runs/s/remix', hash: '' };
  const outcome = { run, log: null };
  expect(
    causeOf({ ...outcome, message: 'reading train: 3 of 9\n[bad] onBatch: broken\n  more of it\n' } as never),
  ).toBe('failed  remix seed 1: [bad] onBatch: broken (runs/s/remix)');
  expect(causeOf({ ...outcome, message: 'a.yaml:3  seed\n  expected 1, got 2.' } as never)).toBe(
    'failed  remix seed 1: a.yaml:3  seed  expected 1, got 2. (runs/s/remix)',
  );
  expect(causeOf({ ...outcome, message: '' } as never)).toBe(
    'failed  remix seed 1: it ended without a word (runs/s/remix)',
  );
  expect(causeOf({ run, log: 'runs/s/remix.log', message: 'broken' } as never)).toBe(
    'failed  remix seed 1: broken (runs/s/remix.log)',
  );
});
