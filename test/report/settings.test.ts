import { expect, test } from 'vitest';
import { differencesIn, differingKeys, fingerprint, flattenConfig } from '../../src/report/settings.ts';

const config = {
  name: 'remix',
  seed: 3,
  data: { name: 'digits', root: '/data', subsetSeed: 0, workers: 2 },
  train: { epochs: 10, optimizer: { name: 'sgd', milestones: [5, 8] } },
  plugins: [{ use: 'mixup', alpha: 1 }, { use: 'remix', kappa: 3, tau: 0.5 }, { use: './own.ts' }, { use: 'mixup' }],
};

test('plugins become their order and a key for each option', () => {
  expect([...flattenConfig(config)]).toEqual([
    ['name', 'remix'],
    ['seed', '3'],
    ['data.name', 'digits'],
    ['data.root', '/data'],
    ['data.subsetSeed', '0'],
    ['data.workers', '2'],
    ['train.epochs', '10'],
    ['train.optimizer.name', 'sgd'],
    ['train.optimizer.milestones', '[5,8]'],
    ['plugins', 'mixup, remix, ./own.ts, mixup'],
    ['plugins.mixup.alpha', '1'],
    ['plugins.remix.kappa', '3'],
    ['plugins.remix.tau', '0.5'],
  ]);
});

test.each([[null], [undefined], ['text'], [7], [[]]])('a configuration that is none has no settings: %s', (value) => {
  expect([...flattenConfig(value)]).toEqual([]);
});

test('nested entries, no entries, two of one name', () => {
  const nested = {
    plugins: [
      {
        use: 'choose',
        from: [
          { use: 'mixup', alpha: 1 },
          { use: 'mixup', alpha: 2 },
        ],
      },
    ],
    x: [],
  };
  expect([...flattenConfig(nested)]).toEqual([
    ['plugins', 'choose'],
    ['plugins.choose.from', 'mixup, mixup'],
    ['plugins.choose.from.mixup.alpha', '1'],
    ['plugins.choose.from.mixup#2.alpha', '2'],
    ['x', 'none'],
  ]);
});

test('phases go by their place, so that runs which differ in one are told apart by what differs', () => {
  const phased = (frozenNorm: string) => ({
    phases: [
      { name: 'erm', model: {} },
      { name: 'crt', model: { frozenNorm }, plugins: [{ use: 'lws' }] },
    ],
  });
  const [batch, running] = ['batch', 'running'].map((norm) => flattenConfig(phased(norm)));
  expect([...batch!]).toEqual([
    ['phases[0].name', 'erm'],
    ['phases[1].name', 'crt'],
    ['phases[1].model.frozenNorm', 'batch'],
    ['phases[1].plugins', 'lws'],
  ]);
  expect(differingKeys([batch!, running!])).toEqual(['phases[1].model.frozenNorm']);
});

test('names, seeds, places and speed do not make a method', () => {
  const other = {
    ...config,
    name: 'again',
    method: 'Remix',
    seed: 4,
    out: 'runs/x',
    backend: 'wasm',
    data: { ...config.data, root: '/elsewhere', subsetSeed: 9, workers: 8 },
    train: { step: 'eager', ...config.train },
  };
  expect(fingerprint(flattenConfig(other))).toBe(fingerprint(flattenConfig(config)));
  expect(differingKeys([flattenConfig(config), flattenConfig(other)])).toEqual([]);
});

test('plugins that only observe do not make a method, nor do their options', () => {
  const observed = (...more: object[]) => ({ ...config, plugins: [...config.plugins, ...more] });
  const all = [
    observed(),
    observed({ use: 'checkpoint' }),
    observed({ use: 'checkpoint', full: true }, { use: 'mlflow' }),
  ];
  const settings = all.map((one) => flattenConfig(one, new Set(['checkpoint', 'mlflow'])));
  expect(new Set(settings.map(fingerprint)).size).toBe(1);
  expect(differingKeys(settings)).toEqual([]);
  expect(new Set(all.map((one) => fingerprint(flattenConfig(one)))).size).toBe(3);
});

test('an option or the order of plugins does', () => {
  const kappa = {
    ...config,
    plugins: [
      { use: 'mixup', alpha: 1 },
      { use: 'remix', kappa: 2, tau: 0.5 },
    ],
  };
  const order = { ...config, plugins: [...config.plugins].reverse() };
  expect(differingKeys([config, kappa].map((one) => flattenConfig(one)))).toEqual(['plugins', 'plugins.remix.kappa']);
  expect(fingerprint(flattenConfig(order))).not.toBe(fingerprint(flattenConfig(config)));
});

test('a plugin that is switched off is as one that is not there', () => {
  const drw = { use: 'drw', deferUntil: 0.8, beta: 0.9999 };
  const withEnabled = (enabled?: boolean) =>
    flattenConfig({
      plugins: [
        { use: 'mixup', alpha: 1 },
        { ...drw, ...(enabled !== undefined && { enabled }) },
      ],
    });
  const without = flattenConfig({ plugins: [{ use: 'mixup', alpha: 1 }] });
  expect(fingerprint(withEnabled(true))).toBe(fingerprint(withEnabled()));
  expect(fingerprint(withEnabled(false))).toBe(fingerprint(without));
  expect([...flattenConfig({ plugins: [{ ...drw, enabled: false }] })]).toEqual([['plugins', 'none']]);
  expect(differencesIn([withEnabled(true), withEnabled(false)])).toEqual([['drw on'], ['drw off']]);
});

test('differences in words: plugins by name, else options, else the order', () => {
  const run = (...plugins: object[]) => flattenConfig({ plugins });
  const remix = (kappa: number) => ({ use: 'remix', kappa });
  expect(
    differencesIn([run({ use: 'mixup' }, remix(3)), run({ use: 'mixup' }, remix(4)), run({ use: 'mixup' })]),
  ).toEqual([
    ['remix on', 'kappa 3'],
    ['remix on', 'kappa 4'],
    ['remix off', 'kappa off'],
  ]);
  expect(differencesIn([run(remix(3)), run(remix(4))])).toEqual([['kappa 3'], ['kappa 4']]);
  expect(differencesIn([run({ use: 'ema' }, { use: 'sam' }), run({ use: 'sam' }, { use: 'ema' })])).toEqual([
    ['plugins ema, sam'],
    ['plugins sam, ema'],
  ]);
  expect(differencesIn([run(remix(3))])).toEqual([[]]);
});
