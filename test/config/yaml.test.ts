import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { parseYaml } from '../../src/config/yaml.ts';
import { messageOfError } from '../support/message.ts';
import { registry } from './few-plugins.ts';
import { inEmptyFolder } from './folder.ts';

const write = inEmptyFolder();
const failure = async (text: string): Promise<string> => {
  await write({ 'run.yaml': text });
  return messageOfError(() => loadConfig('run.yaml', { registry }));
};

const merged = `defaults: &defaults
  momentum: 0.9
  nested: { deep: 1 }
other: &other
  momentum: 0.1
  weightDecay: 0
whole: *defaults
one:
  <<: *defaults
  learningRate: 0.1
several:
  momentum: 0.5
  <<: [*other, *defaults]
`;

describe('a << merge', () => {
  it('adds what the map does not say; of several maps the first wins', () => {
    expect(parseYaml(merged, 'run.yaml').value).toMatchObject({
      one: { momentum: 0.9, nested: { deep: 1 }, learningRate: 0.1 },
      several: { momentum: 0.5, weightDecay: 0, nested: { deep: 1 } },
    });
  });

  it('leads to the line where a value is written', () => {
    const { lineOf } = parseYaml(merged, 'run.yaml');
    const line = (path: string) => lineOf(path.split('.'));
    expect(['one.learningRate', 'one.momentum', 'one.nested.deep'].map(line)).toEqual([10, 2, 3]);
    expect(['several.momentum', 'several.weightDecay', 'several.nested'].map(line)).toEqual([12, 6, 3]);
    expect(['whole.momentum', 'whole', 'one', 'none', 'one.none', 'one.momentum.x'].map(line)).toEqual([
      2,
      7,
      8,
      null,
      null,
      null,
    ]);
  });

  it('is a key like any other in quotes, as in JSON', () => {
    expect(parseYaml('{ "<<": { "a": 1 } }', 'run.json').value).toEqual({ '<<': { a: 1 } });
  });

  it('shows in messages where a value is written', async () => {
    const text = `data: { name: digits }
model: { name: mlp }
train:
  optimizer: &sgd
    name: sgd
    momentum: 2
phases:
  - train: { optimizer: { <<: *sgd, learningRate: 0.2 } }
`;
    expect(await failure(text)).toMatch(/^run\.yaml:6 {2}train\.optimizer\.momentum\n/);
    expect(await failure(text.replace('momentum: 2', 'momentum: 0.8').replace('0.2', '-1'))).toMatch(
      /^run\.yaml:8 {2}phases\[0\]\.train\.optimizer\.learningRate\n/,
    );
  });

  it('needs maps', async () => {
    expect(await failure('data: { name: digits }\ntrain:\n  <<: [{ epochs: 3 }, 3]\n')).toMatchInlineSnapshot(`
      "run.yaml:3  <<
        expected a map to merge, an alias of one, or a list of these."
    `);
    expect(await failure('list: &list [1]\ntrain: { <<: *list }\n')).toMatchInlineSnapshot(`
      "run.yaml:2  <<
        expected a map to merge, an alias of one, or a list of these."
    `);
  });
});

describe('an alias', () => {
  it.each([
    ['data: &data { name: digits, options: *data }', 'run.yaml:1'],
    ['model: {}\ntrain: &train\n  <<: *train', 'run.yaml:3'],
    ['plugins: &plugins\n  - use: mixup\n  - held: { deep: *plugins }', 'run.yaml:3'],
  ])('that is inside of what it stands for is refused: %j', async (text, where) => {
    const [, anchor] = /&(\w+)/.exec(text)!;
    expect(await failure(`${text}\n`)).toBe(
      `${where}  *${anchor}\n  expected an alias of something that ends before it; &${anchor} holds this alias, and has no end.`,
    );
  });

  it('that stands for ever more aliases is refused', async () => {
    const list = (anchor: string, of: string) => `${anchor}: &${anchor} [${Array(10).fill(of).join(', ')}]\n`;
    expect(await failure(list('a', '1') + list('b', '*a') + list('c', '*b') + list('d', '*c'))).toMatch(
      /^run\.yaml: Excessive alias count/,
    );
  });

  it('of nothing is refused', async () => {
    expect(await failure('data: *none\n')).toMatch(/^run\.yaml: Unresolved alias .*: none/);
  });
});
