import { readdir } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import { resolveConfig } from '../../src/config/resolve.ts';
import { isMap, type Tree } from '../../src/config/tree.ts';
import { parseYaml } from '../../src/config/yaml.ts';
import { TailmixError } from '../../src/errors.ts';
import { defaults, registry } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

inEmptyFolder();

/** Configs in CI; more by the variable. */
const COUNT = Number(process.env.TAILMIX_FUZZ ?? 5000);

const base = (): Tree => ({
  name: 'run',
  data: { name: 'digits', ratio: 100, augment: [{ name: 'flip' }] },
  model: { name: 'mlp', width: 8 },
  train: { epochs: 2, optimizer: { name: 'sgd', learningRate: 0.1 } },
  evaluate: { groups: { manyAbove: 100 } },
  plugins: [
    { use: 'mixup', alpha: 1 },
    { use: 'remix', kappa: 3 },
    { use: 'drw', enabled: false },
  ],
  phases: [{ name: 'a' }, { epochs: 1, plugins: [] }],
});

const keys = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'name',
    'use',
    'epochs',
    'then',
    '',
  ),
  fc.constantFrom(
    'data',
    'model',
    'train',
    'plugins',
    'phases',
    'evaluate',
    'optimizer',
    'kappa',
    'seed',
    'out',
    'extends',
  ),
  fc.string({ maxLength: 8 }),
);
const leaves = fc.oneof(
  fc.constantFrom<unknown>(null, true, '', '.', '..', '/', '~', 'if', '<<', '*', '$', 'digits', './x.ts', '__proto__'),
  fc.constantFrom<unknown>(
    0,
    -1,
    1.5,
    1e308,
    Infinity,
    -Infinity,
    Number.NaN,
    2 ** 53,
    '\0',
    '\ud800',
    'é'.normalize('NFD'),
  ),
  fc.double(),
  fc.string(),
);
const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaves,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value;

/** Puts a value at a place of a tree; each number chooses a key of what is there, or the new key. */
function mutate(tree: Tree, { way, key, value }: { way: readonly number[]; key: string; value: unknown }): void {
  let at: unknown = tree;
  for (const step of way) {
    const own = typeof at === 'object' && at !== null ? Object.keys(at) : [];
    const next: unknown = own.length > 0 ? (at as Tree)[own[step % own.length]!] : undefined;
    if (typeof next !== 'object' || next === null) break;
    at = next;
  }
  const own = Object.keys(at as Tree);
  const chosen = way.length % 2 === 0 && own.length > 0 ? own[(way[0] ?? 0) % own.length]! : key;
  if (Array.isArray(at)) at[(way[0] ?? 0) % (at.length + 1)] = value;
  else Object.defineProperty(at as Tree, chosen, { value, enumerable: true, configurable: true, writable: true });
}

const changes = fc.array(fc.record({ way: fc.array(fc.nat(20), { maxLength: 4 }), key: keys, value: values }), {
  minLength: 1,
  maxLength: 3,
});

it(`${COUNT} configs that are made at random are taken, or refused with a message`, { timeout: 300_000 }, async () => {
  const verdicts = new Map<string, number>();
  const prototypes = () =>
    [Object.prototype, Array.prototype, Function.prototype].map((own) => Reflect.ownKeys(own).length);
  const before = prototypes();
  const resolve = async (input: unknown): Promise<string> => {
    try {
      await resolveConfig(input, { registry, defaults });
      return 'taken';
    } catch (error) {
      if (!(error instanceof TailmixError) || error.code === 'INTERNAL' || error.message.length === 0) throw error;
      expect(error.kind).toBe('config');
      return error.code;
    }
  };
  await fc.assert(
    fc.asyncProperty(changes, fc.boolean(), async (list, throughYaml) => {
      const tree = base();
      for (const change of list) mutate(tree, change);
      let input: unknown = tree;
      if (throughYaml) {
        try {
          input = parseYaml(stringify(tree), 'fuzz.yaml').value;
        } catch (error) {
          if (!(error instanceof TailmixError)) throw error;
          input = null;
        }
      }
      const verdict = isMap(input) ? await resolve(input) : await resolve(input ?? 'no config');
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    }),
    { numRuns: COUNT, seed: 17 },
  );
  console.info(`configs at random: ${[...verdicts].map(([verdict, count]) => `${verdict} ${count}`).join(', ')}`);
  expect(prototypes()).toEqual(before);
  expect(await readdir('.')).toEqual([]);
});
