import { describe, expect, it } from 'vitest';
import { expandSweep, type SweepOverrides } from '../../src/sweep/expand.ts';
import { readSweep } from '../../src/sweep/read.ts';
import { shortKeys } from '../../src/sweep/varieties.ts';
import { defaults, registry } from '../config/few-plugins.ts';
import { inEmptyFolder } from '../config/folder.ts';
import { messageOfError } from '../support/message.ts';

const write = inEmptyFolder();
const context = { registry, defaults };

const files = {
  'methods/erm.yaml': 'method: ERM\n',
  'methods/remix.yaml': 'method: Remix\nplugins: [{ use: mixup }, { use: remix }]\n',
  'data/ten.yaml': 'data: { name: digits, ratio: 10 }\nmodel: { name: mlp }\n',
  'data/hundred.yaml': 'name: a-hundred\ndata: { name: digits, ratio: 100 }\nmodel: { name: mlp }\n',
};
const product = 'methods: [methods/erm.yaml, methods/remix.yaml]\ndata: [data/ten.yaml, data/hundred.yaml]\n';

/** Writes files and expands those of them whose names begin with `sweep`, in order. */
async function expand(texts: Record<string, string>, given: Partial<SweepOverrides> = {}) {
  await write({ ...files, ...texts });
  const sweep = await readSweep(
    Object.keys(texts).filter((file) => /(^|\/)sweep/.test(file)),
    registry,
  );
  const { runs } = await expandSweep(sweep, { set: [], backend: 'wasm', out: null, ...given }, context);
  return { name: sweep.name, runs, labels: runs.map(({ label }) => label) };
}
const failure = (texts: Record<string, string>, given: Partial<SweepOverrides> = {}) =>
  messageOfError(() => expand(texts, given), `${process.cwd()}/`);

describe('configs of a sweep', () => {
  it('are files, or lists of files of which later ones win', async () => {
    const { runs, labels } = await expand({
      'sweep.yaml':
        'configs:\n  - data/ten.yaml\n  - [data/ten.yaml, methods/remix.yaml]\n  - [data/ten.yaml, data/hundred.yaml]\n',
    });
    expect(labels).toEqual(['ten seed 0', 'ten-remix seed 0', 'ten-hundred seed 0']);
    expect(runs[1]!.configs.map((file) => file.replace(process.cwd(), ''))).toEqual([
      '/data/ten.yaml',
      '/methods/remix.yaml',
    ]);
    const { runs: alone } = await expand({ 'sweep.yaml': 'configs: [data/hundred.yaml]\n' });
    expect(runs[2]!.hash).toBe(alone[0]!.hash);
    expect(new Set(runs.map(({ directory }) => directory)).size).toBe(3);
  });

  it('are each method with each data set, after those that are listed', async () => {
    const { labels } = await expand({ 'sweep.yaml': `${product}configs: [data/ten.yaml]\nseeds: [0, 1]\n` });
    const names = ['ten', 'erm-ten', 'erm-hundred', 'remix-ten', 'remix-hundred'];
    expect(labels).toEqual([0, 1].flatMap((seed) => names.map((name) => `${name} seed ${seed}`)));
    const layered = 'methods: [methods/erm.yaml]\ndata: [[data/ten.yaml, data/hundred.yaml]]\n';
    expect((await expand({ 'sweep.yaml': layered })).labels).toEqual(['erm-ten-hundred seed 0']);
  });

  it('have names as long as they must be to tell them apart', async () => {
    const { labels } = await expand({
      'other/erm.yaml': 'method: Other\n',
      'sweep.yaml': 'methods: [methods/erm.yaml, other/erm.yaml]\ndata: [data/ten.yaml]\n',
    });
    expect(labels).toEqual(['methods-erm-data-ten seed 0', 'other-erm-data-ten seed 0']);
  });

  it('are there, once, and methods have data', async () => {
    expect(await failure({ 'sweep.yaml': 'seeds: [0]\n' })).toMatchInlineSnapshot(`
      "sweep.yaml
        a sweep needs \`configs\`, or \`methods\` and \`data\`; it has neither."
    `);
    expect(await failure({ 'sweep.yaml': 'seeds: [0]\nmethods: [methods/erm.yaml]\n' })).toMatchInlineSnapshot(`
      "sweep.yaml:2  methods
        needs \`data\`: each method runs with each data set."
    `);
    expect(await failure({ 'sweep.yaml': 'data: [data/ten.yaml]\n' })).toMatchInlineSnapshot(`
      "sweep.yaml:1  data
        needs \`methods\`: each method runs with each data set."
    `);
    expect(await failure({ 'sweep.yaml': 'configs: [data/ten.yaml, [], 3]\n' })).toMatchInlineSnapshot(`
      "sweep.yaml:1  configs[1]
        expected text that is not empty, or a list of at least 1, got [].

      sweep.yaml:1  configs[2]
        expected text that is not empty, or a list of at least 1, got 3."
    `);
    expect(
      await failure({ 'sweep.yaml': `${product}configs:\n  - data/ten.yaml\n  - [./data/ten.yaml]\n` }),
    ).toMatchInlineSnapshot(`
      "sweep.yaml:5  configs[1]
        expected each config once; data/ten.yaml is already listed."
    `);
  });

  it('are not sweeps, and a sweep is not a config', async () => {
    const run = { 'sweep.yaml': files['data/ten.yaml'] };
    expect(await failure(run)).toMatchInlineSnapshot(
      `"sweep.yaml: expected a sweep, which lists \`configs\`, or \`methods\` and \`data\`; got the config of a run. Start it with \`tailmix train sweep.yaml\`, or vary it: --grid train.optimizer.learningRate=0.05,0.1 or --seeds 0,1,2."`,
    );
    expect(await failure({ 'table.yaml': product, 'sweep.yaml': 'configs: [table.yaml]\n' })).toMatchInlineSnapshot(
      `"table.yaml: expected the config of one run, got a sweep. Start it with \`tailmix sweep table.yaml\`."`,
    );
  });

  it('that do not hold are reported once, with the configs that have the problem', async () => {
    const texts = { 'methods/erm.yaml': 'train: { epochs: 0 }\n', 'sweep.yaml': product };
    expect(await failure(texts, { set: ['plugins.remix.kappa=0'] })).toMatchInlineSnapshot(`
      "--set plugins.remix.kappa=0
        plugins has no entry "remix". Entries: progress, tracking, checkpoint.
        In methods/erm.yaml data/ten.yaml, methods/erm.yaml data/hundred.yaml.

      methods/erm.yaml:1  train.epochs
        expected a whole number above 0, got 0.

      --set plugins.remix.kappa=0  plugins[1].kappa
        expected a number above 1, or .inf, got 0.
        In methods/remix.yaml data/ten.yaml, methods/remix.yaml data/hundred.yaml."
    `);
  });
});

describe('several sweep files', () => {
  it('are layers; paths start from the file that says them', async () => {
    const { name, runs, labels } = await expand({
      'paper/sweep-table.yaml':
        'methods: [../methods/erm.yaml]\ndata: [../data/ten.yaml]\nseeds: [0, 1]\nset: { train.epochs: 3, seed: 9 }\njobs: 2\n',
      'sweep-quick.yaml':
        'data: [data/hundred.yaml]\nseeds: [4]\nset: { train.epochs: null, train.batchSize: 8 }\njobs:\n',
    });
    expect(name).toBe('sweep-table-sweep-quick');
    expect(labels).toEqual(['erm-hundred seed 4']);
    expect(runs[0]!.set).toEqual(['train.epochs=null', 'seed=9', 'train.batchSize=8', 'seed=4']);
  });

  it('are named by messages about what they say', async () => {
    const texts = { 'sweep-a.yaml': `${product}seeds: [-1]\njobs: 0\n`, 'sweep-b.yaml': 'name: b\njobs: -2\n' };
    expect(await failure(texts)).toMatchInlineSnapshot(`
      "sweep-a.yaml:3  seeds[0]
        expected a whole number 0 or more, got -1.

      sweep-b.yaml:2  jobs
        expected a whole number above 0, got -2."
    `);
  });
});

describe('--only', () => {
  const only = async (...patterns: string[]) => (await expand({ 'sweep.yaml': grid }, { only: patterns })).labels;
  const grid = `${product}seeds: [0, 1]\ngrid: { train.batchSize: [16, 32] }\n`;

  it('takes runs by their config, by their name, or by all that the sweep shows of them', async () => {
    expect(await only('remix-ten')).toEqual(
      [0, 1].flatMap((seed) => [16, 32].map((size) => `remix-ten batchSize=${size} seed ${seed}`)),
    );
    expect(await only('*-ten batchSize=16 seed 1')).toEqual([
      'erm-ten batchSize=16 seed 1',
      'remix-ten batchSize=16 seed 1',
    ]);
    expect(await only('a-*')).toEqual(await only('*-hundred'));
    expect(await only('er?-ten*seed 0', 'remix-ten*=32*0')).toEqual([
      'erm-ten batchSize=16 seed 0',
      'erm-ten batchSize=32 seed 0',
      'remix-ten batchSize=32 seed 0',
    ]);
    expect(await only('*')).toHaveLength(16);
  });

  it('gives a run the directory that it has in the whole sweep', async () => {
    const { runs } = await expand({ 'sweep.yaml': grid });
    const { runs: part } = await expand({ 'sweep.yaml': grid }, { only: ['remix-*'] });
    expect(runs).toEqual(expect.arrayContaining(part));
  });

  it('is an error where it fits nothing; all but * and ? stand for themselves', async () => {
    expect(
      await failure({ 'sweep.yaml': grid }, { only: ['remix', '(erm|remix)-ten', '[er]*', '.*'] }),
    ).toMatchInlineSnapshot(`
      "--only: expected a pattern that fits a run of the sweep, got remix and (erm|remix)-ten and [er]* and .*.
        Configs: erm-ten, erm-hundred, remix-ten, remix-hundred."
    `);
  });
});

describe('settings without an effect are refused', () => {
  const sweep = (text: string) => ({ 'sweep.yaml': `configs: [[data/ten.yaml, methods/remix.yaml]]\n${text}` });

  it.each([
    ['a seed in the grid', 'grid: { seed: [0, 1] }\n', {}],
    ['a seed for every run', 'set: { seed: 3 }\n', {}],
    ['a seed on the command line', 'seeds: [0, 1]\n', { set: ['seed=3'] }],
    ['a folder in the grid', 'grid: { out: [a, b] }\n', {}],
    ['set and grid of one option', 'set: { train.epochs: 3 }\ngrid: { train.epochs: [1, 2] }\n', {}],
    ['the command line over the grid', 'grid: { train.epochs: [1, 2] }\n', { set: ['train.epochs=3'] }],
    ['an option and its default', 'grid: { plugins.remix.kappa: [null, 3] }\n', {}],
    ['two ways to write a value', 'grid: { train.optimizer: [{ name: sgd }, { name: sgd, momentum: 0.9 }] }\n', {}],
    ['an option that is not there', 'grid: { train.epoch: [1, 2] }\n', {}],
    ['a key that is not there', 'grid: { sead: [1, 2] }\n', {}],
    ['a plugin that is not there', 'grid: { plugins.drw.deferUntil: [1, 2] }\n', {}],
  ])('%s', async (_, text, given) => {
    expect(await failure(sweep(text), given)).toMatchSnapshot();
  });

  it('and what changes a run is not: engines and speed are settings too', async () => {
    const { labels } = await expand(
      sweep('grid: { train.step: [eager, captured], plugins.remix.enabled: [true, false] }\n'),
    );
    expect(labels).toEqual(
      ['eager', 'captured'].flatMap((step) =>
        [true, false].map((enabled) => `ten-remix step=${step} remix.enabled=${enabled} seed 0`),
      ),
    );
  });

  it('labels tell options of one name apart', () => {
    const paths = [
      'plugins.remix.enabled',
      'plugins.drw.enabled',
      'plugins.mixup.alpha',
      'plugins.cutmix.alpha',
      'seed',
    ];
    expect(shortKeys(paths.map((path) => path.split('.')))).toEqual([
      'remix.enabled',
      'drw.enabled',
      'mixup.alpha',
      'cutmix.alpha',
      'seed',
    ]);
  });
});

it('a grid over names alone trains nothing else, and is refused', async () => {
  const sweep = (grid: string) => ({ 'sweep.yaml': `configs: [data/hundred.yaml]\ngrid: ${grid}\n` });
  for (const key of ['name', 'method']) {
    expect(await failure(sweep(`{ ${key}: [a, b] }`))).toContain(
      `${key} "a" and "b" give the same config: "hundred ${key}=a seed 0" and "hundred ${key}=b seed 0" would train one run twice.`,
    );
  }
  const { labels } = await expand(sweep('{ train.epochs: [2, 3], train.step: [eager, captured] }'));
  expect(labels).toHaveLength(4);
});
