import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { registry } from '../../plugins/index.ts';
import { loadConfig } from '../../src/config/load.ts';
import { messageOfError } from '../support/message.ts';
import { defaults } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();

const erm = `
data: { name: digits }
model: { name: mlp }
train: { epochs: 6, optimizer: { name: sgd, learningRate: 0.1, momentum: 0.8 } }
plugins:
  - { use: mixup, alpha: 0.4 }
`;

const crt = `
extends: erm.yaml
phases:
  - name: erm
  - name: crt
    epochs: 2
    model: { reset: [classifier], freeze: [backbone] }
    train: { optimizer: { learningRate: 0.2 } }
    plugins:
      - { use: resample, weights: class-uniform }
`;

async function load(phases = crt, set: string[] = []) {
  await write({ 'erm.yaml': erm, 'run.yaml': phases });
  return loadConfig('run.yaml', { registry, defaults, set });
}

describe('phases of a config', () => {
  it('have what they say, and the rest from the run', async () => {
    const { phases, plugins } = await load();
    expect(phases).toMatchObject([
      { name: 'erm', model: {}, train: { optimizer: { learningRate: 0.1, momentum: 0.8 } } },
      {
        name: 'crt',
        epochs: 2,
        model: { reset: ['classifier'], freeze: ['backbone'] },
        train: { batchSize: 128, optimizer: { name: 'sgd', learningRate: 0.2, momentum: 0.8 } },
      },
    ]);
    expect(phases![0]!.plugins).toBeUndefined();
    expect(phases![1]!.plugins!.map(({ definition }) => definition.name)).toEqual(['resample']);
    expect(plugins.map(({ definition }) => definition.name)).toEqual(['mixup', 'progress', 'tracking', 'checkpoint']);
    expect((await load(erm)).phases).toBeNull();
  });

  it('another optimizer starts from its own defaults', async () => {
    const { phases } = await load(crt.replace('learningRate: 0.2', 'name: adamw'));
    expect(phases![1]!.train!.optimizer).toMatchObject({ name: 'adamw', learningRate: 0.001, beta1: 0.9 });
  });

  it('are logged so that they read the same again', async () => {
    const { resolved, hash, phases } = await load();
    await write({ 'again.yaml': stringify(resolved) });
    const again = await loadConfig('again.yaml', { registry, defaults });
    expect(again.hash).toBe(hash);
    expect(JSON.stringify(again.phases)).toBe(JSON.stringify(phases));
    expect(again.resolved).toEqual(resolved);
  });

  it('decide the hash, but for their names', async () => {
    const { hash } = await load();
    expect((await load(crt.replace('name: crt', 'name: head'))).hash).toBe(hash);
    expect((await load(crt, ['phases[1].plugins.resample.weights=reverse'])).hash).not.toBe(hash);
    expect((await load(crt, ['phases[1].epochs=3'])).hash).not.toBe(hash);
    expect((await load(crt, ['phases[1].train.optimizer.learningRate=0.3'])).hash).not.toBe(hash);
    expect((await load(crt, ['phases[1].plugins.resample.enabled=false'])).hash).not.toBe(hash);
    expect((await load(erm)).hash).not.toBe(hash);
  });

  it('are set as the run is', async () => {
    const { phases } = await load(crt, [
      'phases[1].plugins.resample.weights=reverse',
      'phases.0.epochs=1',
      'phases[1].train.batchSize=16',
    ]);
    expect(phases![1]!.plugins![0]!.options.weights).toBe('reverse');
    expect(phases![0]!.epochs).toBe(1);
    expect(phases![1]!.train!.batchSize).toBe(16);
    expect(await messageOfError(() => load(crt, ['phases[1].plugins.mixup.alpha=1']))).toMatchInlineSnapshot(`
      "--set phases[1].plugins.mixup.alpha=1
        plugins has no entry "mixup". Entries: resample."
    `);
  });

  it('are checked with the rest, each problem at its place', async () => {
    const wrong = crt
      .replace('epochs: 2', 'epochs: none')
      .replace('weights: class-uniform', 'weigths: class-uniform')
      .replace('freeze: [backbone]', 'freeze: backbone, head: cosine')
      .replace('learningRate: 0.2', 'learningRate: 0.2, beta1: 0.5');
    expect(await messageOfError(() => load(wrong))).toMatchInlineSnapshot(`
      "run.yaml:6  phases[1].epochs
        expected a whole number above 0, got "none".

      run.yaml:7  phases[1].model.freeze
        expected a list, got "backbone".

      run.yaml:7  phases[1].model.head
        phases[1].model has no option "head". Options: reset, freeze, frozenNorm.

      run.yaml:10  phases[1].plugins[0].weigths
        resample has no option "weigths". Did you mean "weights"? Options: weights, beta."
    `);
    const others = crt.replace('learningRate: 0.2', 'learningRate: 0.2, beta1: 0.5');
    expect(await messageOfError(() => load(others))).toMatchInlineSnapshot(`
      "run.yaml:8  phases[1].train.optimizer.beta1
        optimizer has no option "beta1". Options: name, learningRate, momentum, nesterov, weightDecay, groups, noDecay, layerDecay. "beta1" is an option of adamw."
    `);
    expect(await messageOfError(() => load('extends: erm.yaml\nphases: []\n'))).toMatchInlineSnapshot(`
      "run.yaml:2  phases
        expected a list of at least 1, got []."
    `);
  });
});
