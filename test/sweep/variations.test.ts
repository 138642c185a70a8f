import { describe, expect, it } from 'vitest';
import { expandSweep } from '../../src/sweep/expand.ts';
import { readSweep } from '../../src/sweep/read.ts';
import type { Variations } from '../../src/sweep/variations.ts';
import { defaults, registry } from '../config/few-plugins.ts';
import { inEmptyFolder } from '../config/folder.ts';
import { messageOfError } from '../support/message.ts';

const write = inEmptyFolder();
const context = { registry, defaults };

describe('the config of a run that the command line varies', () => {
  const run = 'name: a-run\ndata: { name: digits }\nmodel: { name: mlp }\nplugins: [{ use: drw }]\n';

  async function vary(texts: Record<string, string>, variations: Variations, paths = Object.keys(texts)) {
    await write(texts);
    const sweep = await readSweep(paths, registry, variations);
    const { runs, out } = await expandSweep(sweep, { set: [], backend: 'wasm', out: null }, context);
    return { labels: runs.map(({ label }) => label), out };
  }
  const fault = (texts: Record<string, string>, variations: Variations) =>
    messageOfError(() => vary(texts, variations), `${process.cwd()}/`);

  it('runs with each combination and each seed, in a folder of its name', async () => {
    const grid = ['train.epochs=5,10', 'model.name=mlp, small-cnn'];
    expect(await vary({ 'run.yaml': run }, { grid, seeds: [0, 2] })).toEqual({
      labels: [0, 2].flatMap((seed) =>
        [5, 10].flatMap((epochs) =>
          ['mlp', 'small-cnn'].map((name) => `run epochs=${epochs} name=${name} seed ${seed}`),
        ),
      ),
      out: 'runs/a-run',
    });
  });

  it('may be several files, or the one that is found, and the seed is an axis too', async () => {
    const half = 'data: { name: digits }\nmodel: { name: mlp }\n';
    const layered = await vary({ 'a.yaml': half, 'b.yaml': 'train: { epochs: 3 }\n' }, { seeds: [1] });
    expect(layered).toEqual({ labels: ['a-b seed 1'], out: 'runs/a-b' });
    const found = { 'tailmix.config.yaml': run };
    const { labels } = await vary(found, { grid: ['plugins.drw.deferUntil=2,3', 'seed=4'] }, []);
    expect(labels).toEqual(['tailmix.config deferUntil=2 seed 4', 'tailmix.config deferUntil=3 seed 4']);
  });

  it('puts its variations over those of a sweep', async () => {
    const texts = {
      'run.yaml': run,
      'sweep.yaml': 'configs: [run.yaml]\ngrid: { train.epochs: [1, 2] }\nseeds: [7]\n',
    };
    const variations = { grid: ['train.epochs=3'], seeds: [4] };
    await write(texts);
    const { options } = await readSweep(['sweep.yaml'], registry, variations);
    expect(options).toMatchObject({ grid: { 'train.epochs': [3] }, seeds: [4] });
  });

  it('is refused with what is wrong', async () => {
    const faults = [
      'train.epochs',
      'train.epochs=',
      '=3',
      'train.epochs=1,[',
      'train.epochs=3,3',
      'train.epoch=3',
      'seed=1,x',
    ];
    const messages = await Promise.all(faults.map((text) => fault({ 'run.yaml': run }, { grid: [text] })));
    messages.push(await fault({ 'run.yaml': run }, { grid: ['seed=3'], seeds: [1] }));
    messages.push(await fault({ 'run.yaml': run, 'sweep.yaml': 'configs: [run.yaml]\n' }, { seeds: [1] }));
    expect(messages).toMatchInlineSnapshot(`
      [
        "--grid train.epochs: expected PATH=VALUE,VALUE, for example train.optimizer.learningRate=0.05,0.1; there is no path before "=".",
        "--grid train.epochs=: expected PATH=VALUE,VALUE, for example train.optimizer.learningRate=0.05,0.1; there is no value after "=".",
        "--grid =3: expected PATH=VALUE,VALUE, for example train.optimizer.learningRate=0.05,0.1; there is no path before "=".",
        "--grid train.epochs=1,[: expected PATH=VALUE,VALUE, for example train.optimizer.learningRate=0.05,0.1; the values are no list of YAML.",
        "--grid train.epochs=3,3  grid.train.epochs
        expected each value once, got [3,3].",
        "--grid train.epoch=3  grid  train.epoch
        train has no option "epoch". Did you mean "epochs"? Options: epochs, batchSize, replicas, batchNorm, pairs, dropLast, onNaN, reduction, optimizer, precision, device, matmul, step.",
        "--grid seed=1,x  seeds[1]
        expected a whole number 0 or more, got "x".",
        "--grid seed=3: expected PATH=VALUE,VALUE, for example train.optimizer.learningRate=0.05,0.1; seed is varied twice.",
        "run.yaml: expected a sweep, which lists \`configs\`, or \`methods\` and \`data\`; got the config of a run. Start it with \`tailmix train run.yaml\`, or vary it: --grid train.optimizer.learningRate=0.05,0.1 or --seeds 0,1,2.",
      ]
    `);
  });
});
