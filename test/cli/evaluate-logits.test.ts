import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { metricsSections } from '../../src/cli/evaluate/show.ts';
import { SECTIONS } from '../../src/cli/program/options.ts';
import { inTemporaryFolder } from '../support/temporary.ts';
import { quickRun, tailmix } from './run.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const folder = inTemporaryFolder();

beforeAll(async () => {
  const withValidation = quickRun.replace('digits,', 'digits, split: { validation: 0.1 },');
  await writeFile(join(folder(), 'run.yaml'), withValidation);
  const { code, stderr } = await tailmix(folder(), 'train', 'run.yaml', '--out', 'a');
  expect(code, stderr).toBe(0);
  await rm(join(folder(), 'run.yaml'));
});

const evaluated = async (...args: string[]) => {
  const { code, stdout, stderr } = await tailmix(folder(), 'evaluate', 'a', '--json', ...args);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
};

describe('evaluate --from-logits', () => {
  it('has the figures that the run has, and those of its checkpoint, on either split', async () => {
    const { summary } = JSON.parse(`{"summary":${(await tailmix(folder(), 'report', 'a', '--json')).stdout}}`);
    expect(summary.testCount).toBe(1996);
    // Two hidden layers of 16: 784 × 16 + 16, 16 × 16 + 16 and 16 × 10 + 10 numbers.
    expect(summary.methods[0].parameters).toEqual({ trained: 13002, all: 13002 });
    for (const split of ['test', 'validation']) {
      const byModel = await evaluated('--split', split);
      const byLogits = await evaluated('--from-logits', '--split', split);
      expect(byLogits).toMatchObject({
        epoch: 2,
        split,
        count: byModel.count,
        accuracy: byModel.accuracy,
        perClass: byModel.perClass,
        confusion: byModel.confusion,
        intervals: byModel.intervals,
        further: byModel.further,
      });
      expect(byLogits.loss).toBeCloseTo(byModel.loss, 3);
      expect(byLogits.further.nll).toBeCloseTo(byLogits.loss, 12);
      expect(byLogits.ece).toBeCloseTo(byModel.ece, 2);
    }
  });

  it('prints the headline, and the sections that are asked for', async () => {
    const { stdout } = await tailmix(folder(), 'evaluate', 'a', '--from-logits');
    expect(stdout).toContain('epoch 2, test split, from its logits, 1996 images');
    expect(stdout).not.toContain('Brier');
    const all = (await tailmix(folder(), 'evaluate', 'a', '--from-logits', '--metrics', 'all')).stdout;
    for (const text of ['G-mean', 'Brier', 'Forward 50', 'with the class shares known', 'Accuracy per class, with 95%'])
      expect(all).toContain(text);
    const some = (await tailmix(folder(), 'evaluate', 'a', '--from-logits', '--metrics', 'tail,classes')).stdout;
    expect(some).toContain('False head rate');
    expect(some).not.toContain('Brier');
  });

  it('refuses what needs a model, and sections that there are not', async () => {
    for (const args of [
      ['--checkpoint', 'last'],
      ['--set', 'evaluate.every=2'],
      ['--backend', 'wasm'],
    ]) {
      const { code, stderr } = await tailmix(folder(), 'evaluate', 'a', '--from-logits', ...args);
      expect(code).toBe(2);
      expect(stderr).toContain(`cannot be used with option '${args[0]}`);
    }
    const { code, stderr } = await tailmix(folder(), 'evaluate', 'a', '--metrics', 'tails');
    expect(code).toBe(2);
    expect(stderr).toContain('Expected tail, calibration, shift, shift-known, classes or all, not "tails".');
    expect(SECTIONS).toEqual(metricsSections);
  });

  it('needs the logits, and a run that has ended', async () => {
    await rm(join(folder(), 'a', 'logits-validation.safetensors'));
    const missing = await tailmix(folder(), 'evaluate', 'a', '--from-logits', '--split', 'validation');
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain('expected the logits of the last evaluation; there is no such file');
    await rm(join(folder(), 'a', 'summary.json'));
    const unfinished = await tailmix(folder(), 'evaluate', 'a', '--from-logits');
    expect(unfinished.code).toBe(1);
    expect(unfinished.stderr).toContain('expected a run that has ended; it has no summary.json.');
  });
});
